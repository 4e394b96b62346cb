/* What Swift cannot see of the library by itself: typed wrappers, no logic. */
#pragma once

#include <curl/curl.h>

/* curl_easy_setopt, curl_easy_getinfo, curl_share_setopt and curl_multi_setopt are variadic. The parentheses
 * keep curl's type-checking macros out, which want constant options. */

static inline CURLcode millrace_easy_set_long(CURL *easy, CURLoption option, long value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode millrace_easy_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode millrace_easy_set_string(CURL *easy, CURLoption option, const char *value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode millrace_easy_set_pointer(CURL *easy, CURLoption option, void *value) {
    return (curl_easy_setopt)(easy, option, value);
}

static inline CURLcode millrace_easy_set_headers(CURL *easy, struct curl_slist *list) {
    return (curl_easy_setopt)(easy, CURLOPT_HTTPHEADER, list);
}

static inline CURLcode millrace_easy_set_write_function(CURL *easy, curl_write_callback function) {
    return (curl_easy_setopt)(easy, CURLOPT_WRITEFUNCTION, function);
}

static inline CURLcode millrace_easy_set_read_function(CURL *easy, curl_read_callback function) {
    return (curl_easy_setopt)(easy, CURLOPT_READFUNCTION, function);
}

static inline CURLcode millrace_easy_set_header_function(CURL *easy, curl_write_callback function) {
    return (curl_easy_setopt)(easy, CURLOPT_HEADERFUNCTION, function);
}

static inline CURLcode millrace_easy_set_prereq_function(CURL *easy, curl_prereq_callback function) {
    return (curl_easy_setopt)(easy, CURLOPT_PREREQFUNCTION, function);
}

static inline CURLcode millrace_easy_set_open_socket_function(
    CURL *easy, curl_opensocket_callback function) {
    return (curl_easy_setopt)(easy, CURLOPT_OPENSOCKETFUNCTION, function);
}

static inline CURLcode millrace_easy_set_close_socket_function(
    CURL *easy, curl_closesocket_callback function) {
    return (curl_easy_setopt)(easy, CURLOPT_CLOSESOCKETFUNCTION, function);
}

static inline CURLcode millrace_easy_get_long(CURL *easy, CURLINFO info, long *value) {
    return (curl_easy_getinfo)(easy, info, value);
}

static inline CURLcode millrace_easy_get_offset(CURL *easy, CURLINFO info, curl_off_t *value) {
    return (curl_easy_getinfo)(easy, info, value);
}

static inline CURLcode millrace_easy_get_pointer(CURL *easy, CURLINFO info, void **value) {
    return (curl_easy_getinfo)(easy, info, value);
}

static inline CURLSHcode millrace_share(CURLSH *share, curl_lock_data what) {
    return (curl_share_setopt)(share, CURLSHOPT_SHARE, what);
}

static inline CURLMcode millrace_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return (curl_multi_setopt)(multi, option, value);
}

static inline CURLMcode millrace_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) {
    return (curl_multi_setopt)(multi, option, value);
}

static inline CURLMcode millrace_multi_set_socket_function(CURLM *multi, curl_socket_callback function) {
    return (curl_multi_setopt)(multi, CURLMOPT_SOCKETFUNCTION, function);
}

static inline CURLMcode millrace_multi_set_timer_function(CURLM *multi, curl_multi_timer_callback function) {
    return (curl_multi_setopt)(multi, CURLMOPT_TIMERFUNCTION, function);
}

/* Macros with casts. */
static const curl_socket_t MILLRACE_SOCKET_TIMEOUT = CURL_SOCKET_TIMEOUT;
static const long MILLRACE_GLOBAL_DEFAULT = CURL_GLOBAL_DEFAULT;
static const size_t MILLRACE_ERROR_SIZE = CURL_ERROR_SIZE;
static const size_t MILLRACE_WRITE_PAUSE = CURL_WRITEFUNC_PAUSE;
static const size_t MILLRACE_READ_PAUSE = CURL_READFUNC_PAUSE;
static const size_t MILLRACE_READ_ABORT = CURL_READFUNC_ABORT;
