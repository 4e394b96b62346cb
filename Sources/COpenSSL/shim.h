/* What Swift cannot see of the library by itself: typed wrappers, no logic. */
#pragma once

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "tls.h"

/* The parameters hold pointers into this frame, so they must not outlive it: in Swift, the name of
   a macro is a temporary that is gone before the call that reads it. */
static inline int millrace_hmac_init(EVP_MAC_CTX *context, const char *digest,
                                     const unsigned char *key, size_t key_bytes) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_init(context, key, key_bytes, parameters);
}
