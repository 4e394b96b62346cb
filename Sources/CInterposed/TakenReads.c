/* The program's own recv(2), which stands before that of the C library for all shared libraries too.
 *
 * Only a function of that name sees what another library reads. It differs from the system's for the descriptors that
 * the header's first call names, on the thread that named them. */
#include "TakenReads.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A reader for each descriptor that has one; NULL for the others. */
static _Thread_local struct {
    void **readers;
    int capacity;
    int count;
    millrace_read *read;
} taken;

bool millrace_take_reads(int descriptor, void *reader, millrace_read *read) {
    if (descriptor < 0) return false;
    if (descriptor >= taken.capacity) {
        int capacity = descriptor < 512 ? 512 : descriptor + descriptor / 2;
        void **readers = realloc(taken.readers, (size_t)capacity * sizeof *readers);
        if (!readers) return false;
        memset(readers + taken.capacity, 0, (size_t)(capacity - taken.capacity) * sizeof *readers);
        taken.readers = readers;
        taken.capacity = capacity;
    }
    if (!taken.readers[descriptor]) taken.count++;
    taken.readers[descriptor] = reader;
    taken.read = read;
    return true;
}

void millrace_leave_reads(int descriptor) {
    if (descriptor < 0 || descriptor >= taken.capacity || !taken.readers[descriptor]) return;
    taken.readers[descriptor] = NULL;
    if (--taken.count > 0) return;
    free(taken.readers);
    taken.readers = NULL;
    taken.capacity = 0;
}

ssize_t recv(int descriptor, void *bytes, size_t count, int flags) {
    if (flags == 0 && descriptor >= 0 && descriptor < taken.capacity && taken.readers[descriptor])
        return taken.read(taken.readers[descriptor], descriptor, bytes, count);
    return recvfrom(descriptor, bytes, count, flags, NULL, NULL);
}
