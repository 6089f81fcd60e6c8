/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a program says to /dev/handclasp-consumer. Each open file is a consumer of its own:
 *
 *   write   asks for a handshake: a struct consumer_request, then the peer's name with its NUL if there is to be one.
 *           The answer is what the kernel's function returned: an error, or the number of bytes written.
 *   read    tells the outcome of one handshake, and waits for it (poll works too).
 *   ioctl   CONSUMER_CANCEL: tls_handshake_cancel() for that descriptor's socket; 1 if it cancelled, 0 if it did not.
 *           CONSUMER_CLOSE: tls_handshake_close(), which sends close_notify.
 */
#ifndef HANDCLASP_CONSUMER_INTERFACE_H
#define HANDCLASP_CONSUMER_INTERFACE_H

#include <linux/ioctl.h>
#include <linux/types.h>

enum consumer_flow {
	CONSUMER_CLIENT_ANON,
	CONSUMER_CLIENT_X509,
	CONSUMER_CLIENT_PSK,
	CONSUMER_SERVER_X509,
	CONSUMER_SERVER_PSK,
};

#define CONSUMER_PEERIDS 5

/* Everything in struct tls_handshake_args; what is 0 is not passed on. */
struct consumer_request {
	__s32 socket;
	__u32 flow;
	__u32 timeout_ms;
	__s32 keyring;
	__s32 my_cert;
	__s32 my_privkey;
	__u32 num_peerids;
	__s32 my_peerids[CONSUMER_PEERIDS];
};

struct consumer_outcome {
	__s32 socket;	/* the descriptor of the request */
	__s32 status;	/* 0 or a negative errno */
	__s32 peerid;
};

#define CONSUMER_CANCEL	_IO('h', 1)
#define CONSUMER_CLOSE	_IO('h', 2)

#endif
