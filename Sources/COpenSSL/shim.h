/* What Swift cannot see of the library by itself: typed wrappers, no logic. */
#pragma once

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "tls.h"
