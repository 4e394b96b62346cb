/* A recv(2) that lets others read for a library: docs/decisions/0072. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads up to `count` bytes as recv(2) does without flags; `reader` is as it was named. */
typedef ssize_t millrace_read(void *reader, int descriptor, void *bytes, size_t count);

/* From here on `read` is called instead of the system, whichever library reads from `descriptor` on this thread.
   One function a thread. False when there is no memory for it. */
bool millrace_take_reads(int descriptor, void *reader, millrace_read *read);

/* The system reads from it again. */
void millrace_leave_reads(int descriptor);
