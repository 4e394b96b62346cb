// Tells the thread sanitizer of the locks that it cannot see; linked into the tests by `make test-tsan`.
//
// Synchronization.Mutex (Swift 6.3, Linux) takes a free lock in the caller's code, which the sanitizer watches. A lock
// that another thread holds is taken by a call into Swift's library, which it does not watch: then it reports two
// closures under one lock as a race. Four threads that append to an array in a Mutex are enough.
// These functions stand before those of the library, which they call.
// Should the library's names change, they are called no more, and the reports come back.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *lock

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
SWIFT bool try_lock_slow(SELF) __asm__(TRY_LOCK);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK);

SWIFT void lock_slow(uint32_t thread, SELF) {
    SWIFT void (*library)(uint32_t, SELF) = dlsym(RTLD_NEXT, LOCK);
    library(thread, lock);
    __tsan_acquire(lock);
}

SWIFT bool try_lock_slow(SELF) {
    SWIFT bool (*library)(SELF) = dlsym(RTLD_NEXT, TRY_LOCK);
    bool taken = library(lock);
    if (taken) __tsan_acquire(lock);
    return taken;
}

SWIFT void unlock_slow(SELF) {
    SWIFT void (*library)(SELF) = dlsym(RTLD_NEXT, UNLOCK);
    __tsan_release(lock);
    library(lock);
}
