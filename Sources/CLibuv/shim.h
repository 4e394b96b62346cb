/* What Swift cannot see of the library by itself: typed wrappers, no logic. */
#pragma once

#include <malloc.h>
#include <sys/prctl.h>
#include <uv.h>

/* prctl is variadic. */
static inline void millrace_set_thread_name(const char *name) {
    prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0);
}

/* malloc.h is not in Swift's module of the C library. */
static inline void millrace_return_large_blocks(int fromBytes) {
    mallopt(M_MMAP_THRESHOLD, fromBytes);
}
