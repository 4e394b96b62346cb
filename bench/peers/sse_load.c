// A load client for server-sent events: the same chats as millrace-load's, without the WebSocket.
//
//   sse-load URL-HOST PORT STREAMS DELTAS RATE WARMUP_S SECONDS SERVER_PID
//
// Each connection asks, reads its answer to the end and asks again. First questions are spread over four
// seconds at random when paced, as millrace-load's are. Prints one JSON object: deltas a second, the server's CPU per delta, and the time from the
// upstream's write (a timestamp in each delta) to our read.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum chunk { SIZE, DATA, AFTER_DATA, LAST };
struct stream {
    int fd, in_head;
    enum chunk chunk;
    long left;
    char line[512];  // The beginning of the line: enough for the type and a short delta.
    int length;
    char head[4];
    uint64_t due;
    int deltas, completed;
};

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static double cpu_s(int pid) {
    char path[64];
    unsigned long long run = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%llu", &run) != 1) run = 0;
    if (file) fclose(file);
    return run / 1e9;
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static char request[1024];
static int request_length, expected;
static uint64_t deltas, wrong;
static uint32_t *samples;  // Microseconds.
static uint64_t sample_count, sample_room = 1 << 22;
static int measuring;

static void ask(struct stream *s) {
    s->in_head = 1;
    memset(s->head, 0, 4);
    s->chunk = SIZE;
    s->left = s->length = s->deltas = s->completed = 0;
    if (write(s->fd, request, request_length) != request_length) wrong++;
}

static void line_ended(struct stream *s, uint64_t now) {
    static const char delta[] = "data: {\"type\":\"response.output_text.delta\"";
    static const char done[] = "event: response.completed";
    s->line[s->length] = 0;
    if (!strncmp(s->line, delta, sizeof delta - 1)) {
        s->deltas++;
        deltas++;
        char *stamp = strstr(s->line, "\xE2\x9F\xA6");
        if (stamp && measuring && sample_count < sample_room) {
            uint64_t written = strtoull(stamp + 3, 0, 10);
            if (written && written <= now) samples[sample_count++] = (now - written) / 1000;
        }
    } else if (!strncmp(s->line, done, sizeof done - 1)) {
        s->completed = 1;
    }
    s->length = 0;
}

// Takes what was read; returns 1 when the answer is whole.
static int feed(struct stream *s, const char *bytes, int count, uint64_t now) {
    for (int i = 0; i < count; i++) {
        char byte = bytes[i];
        if (s->in_head) {
            memmove(s->head, s->head + 1, 3);
            s->head[3] = byte;
            if (!memcmp(s->head, "\r\n\r\n", 4)) s->in_head = 0;
            continue;
        }
        switch (s->chunk) {
        case SIZE:
            if (byte == '\n') {
                s->chunk = s->left ? DATA : LAST;
            } else if (byte != '\r') {
                int digit = byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10;
                s->left = s->left * 16 + digit;
            }
            break;
        case DATA: {
            int available = count - i < s->left ? count - i : (int)s->left;
            const char *end = memchr(bytes + i, '\n', available);
            int piece = end ? end - (bytes + i) : available;
            int room = (int)sizeof s->line - 1 - s->length;
            int kept = piece < room ? piece : room;
            memcpy(s->line + s->length, bytes + i, kept);
            s->length += kept;
            if (end) { line_ended(s, now); piece++; }
            i += piece - 1;
            s->left -= piece;
            if (!s->left) s->chunk = AFTER_DATA;
            break;
        }
        case AFTER_DATA:
            if (byte == '\n') s->chunk = SIZE;
            break;
        case LAST:
            if (byte == '\n') return 1;
            break;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 9) return 2;
    int port = atoi(argv[2]), streams = atoi(argv[3]), rate = atoi(argv[5]), pid = atoi(argv[8]);
    expected = atoi(argv[4]);
    double warmup = atof(argv[6]), seconds = atof(argv[7]);
    char body[512];
    int length = snprintf(body, sizeof body,
        "{\"model\":\"sim-paced\",\"stream\":true,\"input\":\"deltas=%d rate=%d bytes=20\"%s}", expected, rate,
        rate ? ",\"metadata\":{\"millrace_timestamps\":\"1\"}" : "");
    request_length = snprintf(request, sizeof request,
        "POST /v1/responses HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: application/json\r\n"
        "Content-Length: %d\r\n\r\n%s", argv[1], port, length, body);
    samples = malloc(sample_room * sizeof *samples);
    struct stream *all = calloc(streams, sizeof *all);
    int poll = epoll_create1(0);
    uint64_t start = now_ns();
    for (int i = 0; i < streams; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
        inet_pton(AF_INET, argv[1], &address.sin_addr);
        all[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(all[i].fd, (struct sockaddr *)&address, sizeof address)) { perror("connect"); return 1; }
        int on = 1;
        setsockopt(all[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        fcntl(all[i].fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
        epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
        // At random within its share of the spread: an even one of 20 ms would put all streams of 50 deltas a
        // second in step, and every delta would come in a burst, which costs a server far less.
        all[i].due = start + (rate ? 4000000000ull * (i + drand48()) / streams : 0);
    }
    uint64_t measure_at = start + (warmup + (rate ? 4 : 0)) * 1e9, end = measure_at + seconds * 1e9;
    uint64_t first_deltas = 0;
    double cpu = 0;
    static char buffer[1 << 16];
    struct epoll_event events[256];
    int unasked = 0;
    for (;;) {
        uint64_t now = now_ns();
        while (unasked < streams && all[unasked].due <= now) ask(&all[unasked++]);
        if (!measuring && now >= measure_at) {
            measuring = 1;
            measure_at = now;
            first_deltas = deltas;
            cpu = cpu_s(pid);
        }
        if (now >= end) break;
        int count = epoll_wait(poll, events, 256, unasked < streams ? 1 : 100);
        for (int e = 0; e < count; e++) {
            struct stream *s = events[e].data.ptr;
            int got = read(s->fd, buffer, sizeof buffer);
            if (got == 0 || (got < 0 && errno != EAGAIN)) {
                epoll_ctl(poll, EPOLL_CTL_DEL, s->fd, 0);
                wrong++;
            } else if (got > 0 && feed(s, buffer, got, now_ns())) {
                if (s->deltas != expected || !s->completed) wrong++;
                ask(s);
            }
        }
    }
    double passed = (now_ns() - measure_at) / 1e9, spent = cpu_s(pid) - cpu;
    uint64_t seen = deltas - first_deltas;
    qsort(samples, sample_count, sizeof *samples, by_value);
    uint32_t p50 = sample_count ? samples[sample_count / 2] : 0;
    uint32_t p99 = sample_count ? samples[sample_count * 99 / 100] : 0;
    printf("{\"deltas_per_s\":%.0f,\"cpu_us_per_delta\":%.3f,\"cpu_share\":%.3f,\"p50_us\":%u,\"p99_us\":%u,"
           "\"wrong\":%llu}\n", seen / passed, spent * 1e6 / seen, spent / passed, p50, p99,
           (unsigned long long)wrong);
    return wrong ? 1 : 0;
}
