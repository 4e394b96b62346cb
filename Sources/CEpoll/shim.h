/* Linux calls that Swift's Glibc module leaves out: typed wrappers, no logic. */
#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static inline int ce_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static inline int ce_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event = {.events = events, .data = {.u64 = data}};
    return epoll_ctl(epoll, operation, fd, &event);
}

static inline uint32_t ce_event_flags(const struct epoll_event *events, int index) { return events[index].events; }
static inline uint64_t ce_event_data(const struct epoll_event *events, int index) { return events[index].data.u64; }

/* Nanosecond time-outs; -1 with ENOSYS before Linux 5.11. */
static inline int ce_epoll_wait_ns(int epoll, struct epoll_event *events, int count, int64_t timeout_ns) {
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
#ifdef SYS_epoll_pwait2
    return (int)syscall(SYS_epoll_pwait2, epoll, events, count, &timeout, (void *)0, 0);
#else
    return epoll_wait(epoll, events, count, (int)((timeout_ns + 999999) / 1000000));
#endif
}

/* Timers fire when due, not up to 50 microseconds later. */
static inline int ce_set_timer_slack_ns(unsigned long ns) { return prctl(PR_SET_TIMERSLACK, ns, 0, 0, 0); }

static inline int ce_bind_address_no_port(void) { return IP_BIND_ADDRESS_NO_PORT; }
