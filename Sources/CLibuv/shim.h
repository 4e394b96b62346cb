/* What Swift cannot see of the library by itself: typed wrappers, no logic. */
#pragma once

#include <sys/prctl.h>
#include <uv.h>

/* prctl is variadic. */
static inline void millrace_set_thread_name(const char *name) {
    prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0);
}
