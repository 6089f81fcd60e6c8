// SPDX-License-Identifier: GPL-2.0
/*
 * driver: plays both ends of a connection between the hosts c and s, step by step, and tells in one line what they saw.
 *
 * Usage: driver STEP...
 *
 * Making the ends (each end has its own consumer, /dev/handclasp-consumer):
 *   pair, pair6, udp      the two ends are connected sockets of c and s
 *   relay                 the same, but through this program (see below)
 *   dial=PORT             only end c, connected to a server of host s
 *   answer=PORT           only end s, which waits for a client of host c
 *
 * END is c or s; what a step adds to the line is in brackets:
 *   END.anon[=ARGUMENTS]  asks for a handshake [the error, if the kernel refuses], as a client for c and a server for s, with
 *   END.x509, END.psk     ARGUMENTS parted by commas: name=TEXT  long-name=LENGTH  timeout=MS  keyring=KEY  cert=KEY
 *                         privkey=KEY  peerids=KEY:KEY:...  num-peerids=NUMBER
 *   END.wait[=MS]         waits for its outcome [status, with /PEERID if there is one; `silence` if it does not come]
 *   END.cancel            cancels it [`cancelled` or `too-late`]
 *   END.close             tls_handshake_close
 *   END.send=TEXT         sends application data
 *   END.raw=HEX           sends these bytes as they are
 *   END.record=TYPE:HEX   sends one record of that content type through kernel TLS
 *   END.receive[=MS]      waits for something, and calls recvmsg in any case [the record's content type and what is in it, or
 *                         the error]
 *   END.kind              as receive, without what is in the record
 *   END.bulk=LENGTH       sends so many bytes, and the other end receives and compares them [`same` or what is wrong]
 *   END.readable          waits until there is something to receive
 *   END.held=PID:PID:...  waits until one of these processes, an agent or workers, has this end's socket
 *   END.consumed          waits until what has come was received
 *   END.ulp               turns kernel TLS on beforehand
 *   END.shutdown          ends the connection, as a kernel consumer does that gives up
 *   c.crowd               asks with other sockets until the kernel refuses [the error]
 *   c.nag                 the same, but cancels each time before it asks again
 *   kill=PID:SIGNAL       sends a signal, to stop an agent or let it go on
 *   idle=PID              waits until that process waits
 *   revoke=KEY            revokes a key or keyring
 *
 * With a relay, which knows records by their headers, and forwards while a step waits:
 *   END.hold=COUNT        only so many records of END are forwarded, the others are kept
 *   END.release=COUNT     once END has sent so many records, what was kept is sent in one piece
 *   END.insert=COUNT:HEX  these bytes follow that many of END's records, in one piece with them
 *   END.sent=COUNT        waits until END has sent so many records
 *   END.count             [how many records END has sent]
 *
 * Many connections at once (see storm.h):
 *   storm=TOTAL:AT-ONCE:ASK:ASK   TOTAL pairs, AT-ONCE of them at a time, whose ends c and s ASK as above, "psk=timeout=5000"
 *                         [for each end how often the kernel's queue was full, and how often each status was told; how many
 *                         milliseconds half of the pairs took at most, 99 of 100, and all]
 *   herd=KIND:COUNT:END.ASK   beside the storm that follows, COUNT pairs of which END asks while the other end is `silent`, `slow`
 *                         (a byte each second) or `reset` (resets the connection; one of them with each pair of the storm)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sockios.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "interface.h"

#ifndef SOL_TLS
#define SOL_TLS 282
#endif
#define LONGEST_WAIT 60000
#define LONGEST_NAME 65536

struct relay {
	int from, to;
	unsigned char kept[65536];
	size_t length;
	long count;		/* records that were forwarded or kept */
	long hold;		/* how many may be forwarded; -1: all */
	long forwarded;
	long insert_after;
	unsigned char insert[256];
	size_t insert_length;
	bool ended;
};

struct end {
	const char *name;
	int socket, device;
	bool cancelled;
	struct relay relay;	/* of what this end sends */
};

static struct end c = { .name = "c", .socket = -1 }, s = { .name = "s", .socket = -1 };
static bool relayed;

static void die(const char *what)
{
	printf("driver: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int checked(int result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

static void tell(const struct end *end, const char *format, ...)
{
	static bool told;
	va_list arguments;

	printf("%s%s ", told ? ", " : "", end->name);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	told = true;
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(error);

	return error ? (name ? name : "?") : "0";
}

static struct end *other(const struct end *end)
{
	return end == &c ? &s : &c;
}

/* Sockets of the two hosts. */

static int socket_of(const char *host, int family, int type)
{
	char path[64];
	int namespace, fd;

	snprintf(path, sizeof(path), "/run/netns/%s", host);
	namespace = checked(open(path, O_RDONLY | O_CLOEXEC), path);
	checked(setns(namespace, CLONE_NEWNET), "setns");
	close(namespace);
	fd = checked(socket(family, type | SOCK_CLOEXEC, 0), "socket");
	if (type == SOCK_STREAM)
		checked(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)), "TCP_NODELAY");
	return fd;
}

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t length;
};

static struct address server_address(int family, int port)
{
	struct address address = { .length = sizeof(struct sockaddr_in) };

	address.any.sa_family = family;
	address.v4.sin_port = htons(port);
	if (family == AF_INET6) {
		address.length = sizeof(struct sockaddr_in6);
		inet_pton(family, "2001:db8::2", &address.v6.sin6_addr);
	} else {
		inet_pton(family, "192.0.2.2", &address.v4.sin_addr);
	}
	return address;
}

static int dial(int family, int type, const struct address *address)
{
	int fd = socket_of("c", family, type);

	checked(connect(fd, &address->any, address->length), "connect");
	return fd;
}

static int listen_at(int family, struct address *address)
{
	int fd = socket_of("s", family, SOCK_STREAM);

	checked(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), "SO_REUSEADDR");
	checked(bind(fd, &address->any, address->length), "bind");
	checked(listen(fd, 1), "listen");
	checked(getsockname(fd, &address->any, &address->length), "getsockname");
	return fd;
}

static void make_pair(int family, int *client, int *server)
{
	struct address address = server_address(family, 0);
	int listener = listen_at(family, &address);

	*client = dial(family, SOCK_STREAM, &address);
	*server = checked(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");
	checked(setsockopt(*server, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)), "TCP_NODELAY");
	close(listener);
}

static void make_relay(void)
{
	int to_c, to_s;

	make_pair(AF_INET, &c.socket, &to_c);
	make_pair(AF_INET, &to_s, &s.socket);
	c.relay = (struct relay){ .from = to_c, .to = to_s, .hold = -1, .insert_after = -1 };
	s.relay = (struct relay){ .from = to_s, .to = to_c, .hold = -1, .insert_after = -1 };
	relayed = true;
}

static void answer(int port)
{
	struct address address = server_address(AF_INET, port);
	int listener = listen_at(AF_INET, &address);

	s.socket = checked(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");
	close(listener);
}

/* The relay. */

static size_t record_length(const unsigned char *bytes, size_t length)
{
	size_t whole = length < 5 ? 0 : 5 + (bytes[3] << 8 | bytes[4]);

	return whole && whole <= length ? whole : 0;
}

static void relay_send(struct relay *relay, const unsigned char *bytes, size_t length)
{
	/* The other side may be gone already: that is for the ends to see. */
	if (length && send(relay->to, bytes, length, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		die("relay");
}

/* Forwards the records that may be, all in one piece. */
static void relay_forward(struct relay *relay)
{
	static unsigned char piece[sizeof(relay->kept) + sizeof(relay->insert)];
	size_t whole, used = 0, length = 0;

	while ((relay->hold < 0 || relay->forwarded < relay->hold) &&
	       (whole = record_length(relay->kept + used, relay->length - used))) {
		memcpy(piece + length, relay->kept + used, whole);
		used += whole;
		length += whole;
		if (++relay->forwarded == relay->insert_after) {
			memcpy(piece + length, relay->insert, relay->insert_length);
			length += relay->insert_length;
		}
	}
	memmove(relay->kept, relay->kept + used, relay->length - used);
	relay->length -= used;
	relay_send(relay, piece, length);
	if (relay->ended && !relay->length)
		shutdown(relay->to, SHUT_WR);
}

static void relay_receive(struct relay *relay)
{
	ssize_t got = recv(relay->from, relay->kept + relay->length, sizeof(relay->kept) - relay->length, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		relay->ended = true;
	else
		relay->length += got;
	relay_forward(relay);
}

/* Whether FD is readable within MS; the relay works meanwhile. */
static bool readable(int fd, int ms)
{
	for (;;) {
		struct pollfd entries[] = {
			{ .fd = fd, .events = POLLIN },
			{ .fd = relayed && !c.relay.ended ? c.relay.from : -1, .events = POLLIN },
			{ .fd = relayed && !s.relay.ended ? s.relay.from : -1, .events = POLLIN },
		};

		if (checked(poll(entries, 3, ms), "poll") == 0)
			return false;
		if (entries[1].revents)
			relay_receive(&c.relay);
		if (entries[2].revents)
			relay_receive(&s.relay);
		if (entries[0].revents)
			return true;
	}
}

static long count_records(const struct relay *relay)
{
	long count = relay->forwarded;
	size_t used = 0, whole;

	while ((whole = record_length(relay->kept + used, relay->length - used))) {
		used += whole;
		count++;
	}
	return count;
}

/* Waits until so many records have come. */
static bool relay_await(const struct end *end, long count)
{
	const struct relay *relay = &end->relay;

	while (count_records(relay) < count) {
		if (!readable(relay->from, LONGEST_WAIT)) {
			tell(end, "sent-only:%ld", count_records(relay));
			return false;
		}
	}
	return true;
}

/* Once so many records have come, sends what was kept of them. */
static void relay_release(struct end *end, long count)
{
	if (!relay_await(end, count))
		return;
	end->relay.hold = -1;
	relay_forward(&end->relay);
}

static size_t from_hex(const char *hex, unsigned char *bytes, size_t size)
{
	size_t length = 0;

	while (length < size && sscanf(hex + 2 * length, "%2hhx", bytes + length) == 1)
		length++;
	return length;
}

static void insert(struct relay *relay, const char *argument)
{
	char *hex;

	relay->insert_after = strtol(argument, &hex, 10);
	relay->insert_length = from_hex(hex + 1, relay->insert, sizeof(relay->insert));
}

/* Handshakes. */

static enum consumer_flow flow_of(const struct end *end, const char *kind)
{
	if (!strcmp(kind, "anon"))
		return CONSUMER_CLIENT_ANON;
	if (!strcmp(kind, "x509"))
		return end == &c ? CONSUMER_CLIENT_X509 : CONSUMER_SERVER_X509;
	return end == &c ? CONSUMER_CLIENT_PSK : CONSUMER_SERVER_PSK;
}

struct message {
	struct consumer_request request;
	char name[LONGEST_NAME];
};

/* One of the arguments; how long the name has become. */
static size_t add_argument(struct message *message, const char *key, char *value, size_t name_length)
{
	struct consumer_request *request = &message->request;
	char *peerid;

	if (!strcmp(key, "name"))
		return snprintf(message->name, LONGEST_NAME, "%s", value) + 1;
	if (!strcmp(key, "long-name")) {
		memset(message->name, 'a', atoi(value));
		return atoi(value) + 1;
	}
	if (!strcmp(key, "timeout"))
		request->timeout_ms = atoi(value);
	else if (!strcmp(key, "keyring"))
		request->keyring = atoi(value);
	else if (!strcmp(key, "cert"))
		request->my_cert = atoi(value);
	else if (!strcmp(key, "privkey"))
		request->my_privkey = atoi(value);
	else if (!strcmp(key, "peerids"))
		while (request->num_peerids < CONSUMER_PEERIDS && (peerid = strsep(&value, ":")))
			request->my_peerids[request->num_peerids++] = atoi(peerid);
	else if (!strcmp(key, "num-peerids"))
		request->num_peerids = atoi(value);
	else
		die(key);
	return name_length;
}

/* Asks for a handshake; 0 or a positive errno. */
static int ask(const struct end *end, int fd, const char *kind, const char *arguments)
{
	struct message *message = calloc(1, sizeof(*message));
	char *copy = strdup(arguments ? arguments : ""), *rest = copy, *value;
	size_t name_length = 0;
	int error;

	message->request.socket = fd;
	message->request.flow = flow_of(end, kind);
	while ((value = strsep(&rest, ",")) && *value) {
		char *key = strsep(&value, "=");

		name_length = add_argument(message, key, value ? value : "", name_length);
	}
	error = write(end->device, message, sizeof(message->request) + name_length) < 0 ? errno : 0;
	free(copy);
	free(message);
	return error;
}

/* Whether an outcome came in time. */
static bool outcome_of(const struct end *end, int ms, struct consumer_outcome *outcome)
{
	if (!readable(end->device, ms))
		return false;
	if (read(end->device, outcome, sizeof(*outcome)) != sizeof(*outcome))
		die("outcome");
	return true;
}

static void wait_for_outcome(const struct end *end, const char *ms)
{
	struct consumer_outcome outcome;

	if (!outcome_of(end, ms ? atoi(ms) : LONGEST_WAIT, &outcome))
		tell(end, "silence");
	else if (outcome.peerid)
		tell(end, "%s/%d", error_name(-outcome.status), outcome.peerid);
	else
		tell(end, "%s", error_name(-outcome.status));
}

static void cancel(struct end *end)
{
	end->cancelled = checked(ioctl(end->device, CONSUMER_CANCEL, end->socket), "cancel");
	tell(end, end->cancelled ? "cancelled" : "too-late");
}

static void crowd(const struct end *end, bool cancels)
{
	int client, server, error;

	do {
		make_pair(AF_INET, &client, &server);
		error = ask(end, client, "anon", NULL);
		if (!cancels || error)
			continue;
		checked(ioctl(end->device, CONSUMER_CANCEL, client), "cancel");
		close(client);
		close(server);
	} while (!error);
	tell(end, "%s", error_name(error));
}

/* What can only be looked for again and again. */

static bool holds_socket(const struct end *end, int pid)
{
	char path[64], name[64], found[64];
	struct dirent *entry;
	DIR *directory;
	bool holds = false;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", end->socket);
	length = checked(readlink(path, name, sizeof(name)), path);
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	while (directory && !holds && (entry = readdir(directory)))
		holds = readlinkat(dirfd(directory), entry->d_name, found, sizeof(found)) == length &&
			!memcmp(name, found, length);
	if (directory)
		closedir(directory);
	return holds;
}

/* What was sent to this end has come, and was received. */
static bool has_consumed(const struct end *end, int unused)
{
	int unacknowledged, unread;

	(void)unused;
	checked(ioctl(relayed ? other(end)->relay.to : other(end)->socket, SIOCOUTQ, &unacknowledged), "SIOCOUTQ");
	checked(ioctl(end->socket, SIOCINQ, &unread), "SIOCINQ");
	return !unacknowledged && !unread;
}

static bool is_idle(const struct end *unused, int pid)
{
	char path[64], state = 0;
	FILE *file;

	(void)unused;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		die(path);
	fclose(file);
	return state == 'S';
}

/* Until the condition holds for one of the processes. */
static void await(const struct end *end, bool (*condition)(const struct end *, int), const char *pids)
{
	for (int ms = 0; ms < LONGEST_WAIT; ms += 20) {
		for (const char *pid = pids; pid; pid = strchr(pid, ':') ? strchr(pid, ':') + 1 : NULL)
			if (condition(end, atoi(pid)))
				return;
		readable(-1, 20);	/* only for the relay's sake */
	}
	tell(end, "waits-in-vain");
}

/* Session data. */

static void send_bytes(const struct end *end, const void *bytes, size_t length)
{
	if (send(end->socket, bytes, length, MSG_NOSIGNAL) < 0)
		tell(end, "send:%s", error_name(errno));
}

static void send_record(const struct end *end, const char *argument)
{
	char *hex, control[CMSG_SPACE(1)] = { 0 };
	unsigned char type = strtol(argument, &hex, 10), payload[1024];
	struct iovec vector = { payload, from_hex(hex + 1, payload, sizeof(payload)) };
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_TLS;
	header->cmsg_type = TLS_SET_RECORD_TYPE;
	header->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(header) = type;
	if (sendmsg(end->socket, &message, MSG_NOSIGNAL) < 0)
		tell(end, "send:%s", error_name(errno));
}

static const char *type_name(const struct msghdr *message)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(message);

	if (!header || header->cmsg_level != SOL_TLS || header->cmsg_type != TLS_GET_RECORD_TYPE)
		return "untyped";
	switch (*CMSG_DATA(header)) {
	case 21:
		return "alert";
	case 22:
		return "handshake";
	case 23:
		return "data";
	}
	return "other";
}

static void receive(const struct end *end, const char *ms, bool with_text)
{
	char control[CMSG_SPACE(1)], text[4096];
	struct iovec vector = { text, sizeof(text) };
	struct msghdr message = {
		.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	const char *type;
	ssize_t got;

	readable(end->socket, ms ? atoi(ms) : LONGEST_WAIT);
	got = recvmsg(end->socket, &message, MSG_DONTWAIT);
	if (got <= 0) {
		tell(end, got ? error_name(errno) : "end");
		return;
	}
	type = type_name(&message);
	tell(end, with_text ? "%s:" : "%s", type);
	for (ssize_t i = 0; with_text && i < got && i < 64; i++)
		printf(strcmp(type, "data") ? "%02hhx" : "%c", text[i]);
}

static void bulk(const struct end *end, long length)
{
	static unsigned char sent[16384], got[16384];
	unsigned int seed = 1;

	for (long at = 0; at < length; at += sizeof(sent)) {
		size_t part = length - at < (long)sizeof(sent) ? length - at : (long)sizeof(sent);

		for (size_t i = 0; i < part; i++)
			sent[i] = rand_r(&seed);
		if (send(end->socket, sent, part, MSG_NOSIGNAL) != (ssize_t)part)
			die("bulk");
		for (size_t filled = 0; filled < part;) {
			ssize_t more = recv(other(end)->socket, got + filled, part - filled, 0);

			if (more <= 0) {
				tell(other(end), more ? error_name(errno) : "end");
				return;
			}
			filled += more;
		}
		if (memcmp(sent, got, part)) {
			tell(other(end), "other-bytes");
			return;
		}
	}
	tell(other(end), "same");
}

#include "storm.h"

/* Steps. */

static void step_of_end(struct end *end, const char *verb, char *argument)
{
	unsigned char bytes[256];
	int error = 0;

	if (!strcmp(verb, "anon") || !strcmp(verb, "x509") || !strcmp(verb, "psk")) {
		if ((error = ask(end, end->socket, verb, argument)))
			tell(end, "asks:%s", error_name(error));
	} else if (!strcmp(verb, "wait")) {
		wait_for_outcome(end, argument);
	} else if (!strcmp(verb, "cancel")) {
		cancel(end);
	} else if (!strcmp(verb, "close")) {
		checked(ioctl(end->device, CONSUMER_CLOSE, end->socket), "close");
	} else if (!strcmp(verb, "send")) {
		send_bytes(end, argument, strlen(argument));
	} else if (!strcmp(verb, "raw")) {
		send_bytes(end, bytes, from_hex(argument, bytes, sizeof(bytes)));
	} else if (!strcmp(verb, "record")) {
		send_record(end, argument);
	} else if (!strcmp(verb, "receive")) {
		receive(end, argument, true);
	} else if (!strcmp(verb, "kind")) {
		receive(end, argument, false);
	} else if (!strcmp(verb, "held")) {
		await(end, holds_socket, argument);
	} else if (!strcmp(verb, "consumed")) {
		await(end, has_consumed, "0");
	} else if (!strcmp(verb, "bulk")) {
		bulk(end, atol(argument));
	} else if (!strcmp(verb, "readable")) {
		if (!readable(end->socket, LONGEST_WAIT))
			tell(end, "nothing");
	} else if (!strcmp(verb, "ulp")) {
		checked(setsockopt(end->socket, IPPROTO_TCP, TCP_ULP, "tls", 3), "TCP_ULP");
	} else if (!strcmp(verb, "shutdown")) {
		checked(shutdown(end->socket, SHUT_RDWR), "shutdown");
	} else if (!strcmp(verb, "crowd")) {
		crowd(end, false);
	} else if (!strcmp(verb, "nag")) {
		crowd(end, true);
	} else if (!strcmp(verb, "hold")) {
		end->relay.hold = atol(argument);
	} else if (!strcmp(verb, "release")) {
		relay_release(end, atol(argument));
	} else if (!strcmp(verb, "sent")) {
		relay_await(end, atol(argument));
	} else if (!strcmp(verb, "insert")) {
		insert(&end->relay, argument);
	} else if (!strcmp(verb, "count")) {
		tell(end, "%ld", count_records(&end->relay));
	} else {
		die(verb);
	}
}

static void step(char *text)
{
	char *verb = strsep(&text, "="), *colon = text ? strchr(text, ':') : NULL;
	struct address address;

	errno = EINVAL;
	if (!strcmp(verb, "pair")) {
		make_pair(AF_INET, &c.socket, &s.socket);
	} else if (!strcmp(verb, "pair6")) {
		make_pair(AF_INET6, &c.socket, &s.socket);
	} else if (!strcmp(verb, "udp")) {
		address = server_address(AF_INET, 9);
		c.socket = dial(AF_INET, SOCK_DGRAM, &address);
	} else if (!strcmp(verb, "relay")) {
		make_relay();
	} else if (!strcmp(verb, "dial")) {
		address = server_address(AF_INET, atoi(text));
		c.socket = dial(AF_INET, SOCK_STREAM, &address);
	} else if (!strcmp(verb, "answer")) {
		answer(atoi(text));
	} else if (!strcmp(verb, "kill")) {
		checked(kill(atoi(text), atoi(colon + 1)), "kill");
	} else if (!strcmp(verb, "idle")) {
		await(&s, is_idle, text);
	} else if (!strcmp(verb, "revoke")) {
		checked(syscall(SYS_keyctl, KEYCTL_REVOKE, atoi(text)), "revoke");
	} else if (!strcmp(verb, "storm")) {
		storm(text);
	} else if (!strcmp(verb, "herd")) {
		gather_herd(text);
	} else if (!strncmp(verb, "c.", 2)) {
		step_of_end(&c, verb + 2, text);
	} else if (!strncmp(verb, "s.", 2)) {
		step_of_end(&s, verb + 2, text);
	} else {
		die(verb);
	}
}

static void told_nothing_after_cancel(const struct end *end)
{
	struct consumer_outcome outcome;

	if (end->cancelled && outcome_of(end, 0, &outcome))
		tell(end, "told-after-cancel");
}

int main(int count, char **arguments)
{
	c.device = checked(open("/dev/handclasp-consumer", O_RDWR | O_CLOEXEC), "/dev/handclasp-consumer");
	s.device = checked(open("/dev/handclasp-consumer", O_RDWR | O_CLOEXEC), "/dev/handclasp-consumer");
	for (int i = 1; i < count; i++)
		step(arguments[i]);
	told_nothing_after_cancel(&c);
	told_nothing_after_cancel(&s);
	puts("");
	return 0;
}
