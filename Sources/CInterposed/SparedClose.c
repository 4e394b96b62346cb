/* The program's own close(2), which stands before that of the C library for all shared libraries too.
 *
 * Only a function of that name sees a close that another library does. It differs from the system's only between the
 * two calls of the header, on the thread that made the first. */
#include "SparedClose.h"

/* glibc's name for the same call; the thread sanitizer watches it as it watches close(). */
int __close(int descriptor);

static _Thread_local int spared = -1;

void millrace_spare_next_close(int descriptor) { spared = descriptor; }

bool millrace_end_sparing(void) {
    bool passed = spared < 0;
    spared = -1;
    return passed;
}

int close(int descriptor) {
    if (descriptor >= 0 && descriptor == spared) {
        spared = -1;
        return 0;
    }
    return __close(descriptor);
}
