/* SPDX-License-Identifier: Apache-2.0 */
/*
 * https_record: an answer's head and body as one record of TLS.
 *
 * libmicrohttpd passes them to gnutls_record_send() one right after the other, and each becomes a
 * record, which costs both sides more than its bytes do. It has no option for this. So the program
 * has a gnutls_record_send() of its own, which libmicrohttpd's calls come to, since a program's
 * symbols stand before those of its libraries. It keeps a head until its body is there, then hands
 * both to gnutls_record_send2(). libmicrohttpd is told the truth about the body, and only goes on
 * when that was taken; so nothing is ever left here that it believes to be written.
 *
 * Should its calls not come here, an answer is two records, and all else is as it is.
 *
 * Threads: a record belongs to its session's thread.
 */
#ifndef API_HTTPS_RECORD_H
#define API_HTTPS_RECORD_H

struct gnutls_session_int;
struct https_record;

/* For one session, which sends nothing after https_record_free(). */
struct https_record *https_record_new(struct gnutls_session_int *session);
/* What is sent next, a head, waits for what is sent right after it, which must follow. */
void https_record_gather(struct https_record *record);
/* Accepts NULL. */
void https_record_free(struct https_record *record);

#endif
