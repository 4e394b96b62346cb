/* What Swift cannot see of the library by itself: typed wrappers, no logic. */
#pragma once

#include <libwebsockets.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

/* Option bits are macros of a type that Swift does not import. */
static inline uint64_t millrace_lws_options(void) {
    return LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
           LWS_SERVER_OPTION_VALIDATE_UTF8 | LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME |
           LWS_SERVER_OPTION_UV_NO_SIGSEGV_SIGFPE_SPIN | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
}

static inline int millrace_lws_headroom(void) { return LWS_PRE; }

/* The close frame's opcode has no public name in the library's enum. */
static inline int millrace_lws_write_close(struct lws *wsi, unsigned char *payload, size_t length) {
    return lws_write(wsi, payload, length, (enum lws_write_protocol)4);
}

/* Unsent bytes would make the library wait for a peer that does not read: after this they cannot be sent. */
static inline void millrace_lws_shut_down(struct lws *wsi) {
    if (lws_partial_buffered(wsi)) shutdown(lws_get_socket_fd(wsi), SHUT_RDWR);
}

/* Closes now; not from inside the socket's own callback. */
static inline void millrace_lws_kill(struct lws *wsi) {
    millrace_lws_shut_down(wsi);
    lws_set_timeout(wsi, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}

/* lws_set_log_level's emit function is called with a line that ends in a newline. */
static inline void millrace_lws_log(void (*emit)(int level, const char *line)) {
    lws_set_log_level(LLL_ERR | LLL_WARN, emit);
}

static inline int millrace_lws_error_level(void) { return LLL_ERR; }

static inline int millrace_accept(int listener) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
        int on = 1;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        /* The kernel would else take up to 4 MiB for a peer that does not read: bytes that no limit of ours
           counts, and of a time in which nothing could be merged. */
        int unsent = 64 << 10;
        setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    }
    return descriptor;
}

/* Resets the connection now. SO_LINGER alone would not: the library shuts the socket down before it closes
   it, and then the peer has seen an orderly end. */
static inline void millrace_reset_connection(int descriptor) {
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    connect(descriptor, &nowhere, sizeof nowhere);
}

/* The socket counts as readable from that many bytes on, or at the peer's end. */
static inline void millrace_readable_from(int descriptor, int bytes) {
    setsockopt(descriptor, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

static inline bool millrace_is_readable(int descriptor) {
    struct pollfd socket = {.fd = descriptor, .events = POLLIN};
    return poll(&socket, 1, 0) > 0;
}

/* Bytes that the peer's kernel has confirmed so far: `tcpi_bytes_acked` of Linux' tcp_info. The C library's
   struct of that name ends before it. */
static inline uint64_t millrace_confirmed_bytes(int descriptor) {
    uint64_t information[17] = {0};
    socklen_t length = sizeof information;
    getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, information, &length);
    return information[15];
}

/* The peer's numeric address without its port; empty where there is none. */
static inline void millrace_peer_address(int descriptor, char *address, int capacity) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    address[0] = 0;
    if (getpeername(descriptor, (struct sockaddr *)&peer, &length) == 0)
        getnameinfo((struct sockaddr *)&peer, length, address, (socklen_t)capacity, NULL, 0,
                    NI_NUMERICHOST);
}
