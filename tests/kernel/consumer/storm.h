/* SPDX-License-Identifier: GPL-2.0 */
/* The part of driver.c that plays many connections at once: a storm of good ones, beside herds of bad ones. */

#define MOST_SOCKETS 65536
#define MOST_HERDS 8

/* How one end of many pairs asks. */
struct asking {
	struct end *end;
	char kind[256], *arguments;
	long again;			/* asked when the kernel's queue was full */
	long told[4096];		/* each status how often */
};

struct herd {
	struct asking asking;
	enum { SILENT, SLOW, RESET } kind;
	long count, begun, next;
	int peers[1024];		/* the ends that do not ask */
};

/* By descriptor. */
static struct {
	struct asking *asking;		/* of those that asked and have no outcome */
	int partner;
	double asked;
} sockets[MOST_SOCKETS];

static struct herd herds[MOST_HERDS];
static int herd_count;
/* The opening of a message that is never complete: a record of 512 bytes, a ClientHello or ServerHello in it. */
static const unsigned char opening[] = { 22, 3, 3, 2, 0, 1, 0, 1, 252, 3, 3 };

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* How is "anon=name=server.test". */
static void learn(struct asking *asking, struct end *end, const char *how)
{
	asking->end = end;
	snprintf(asking->kind, sizeof(asking->kind), "%s", how ? how : "");
	asking->arguments = strchr(asking->kind, '=');
	if (asking->arguments)
		*asking->arguments++ = 0;
}

/* Asks until the kernel has room. */
static void ask_persistently(struct asking *asking, int fd)
{
	bool again = false;

	sockets[fd].asking = asking;
	while ((errno = ask(asking->end, fd, asking->kind, asking->arguments)) == EAGAIN) {
		again = true;
		usleep(1000);
	}
	if (errno)
		die("storm");
	asking->again += again;
}

static void pair_off(int fds[2])
{
	make_pair(AF_INET, &fds[0], &fds[1]);
	for (int i = 0; i < 2; i++) {
		sockets[fds[i]].partner = fds[1 - i];
		sockets[fds[i]].asked = now_ms();
		sockets[fds[i]].asking = NULL;
	}
}

static void storm_pair(struct asking sides[2])
{
	int fds[2];

	pair_off(fds);
	for (int i = 0; i < 2; i++)
		ask_persistently(&sides[i], fds[i]);
}

/* Herds. */

static void gather_herd(char *argument)
{
	struct herd *herd = &herds[herd_count++ % MOST_HERDS];
	const char *kind = strsep(&argument, ":");

	herd->kind = !strcmp(kind, "reset") ? RESET : !strcmp(kind, "slow") ? SLOW : SILENT;
	herd->count = atol(strsep(&argument, ":"));
	if (herd->count > (long)(sizeof(herd->peers) / sizeof(*herd->peers)) || herd_count > MOST_HERDS)
		die("herd");
	learn(&herd->asking, *argument == 'c' ? &c : &s, argument + 2);
}

static void herd_pair(struct herd *herd)
{
	int fds[2], asking = herd->asking.end == &s;

	pair_off(fds);
	herd->peers[herd->begun++] = fds[1 - asking];
	ask_persistently(&herd->asking, fds[asking]);
	if (herd->kind != RESET)
		return;
	checked(setsockopt(fds[1 - asking], SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger)), "SO_LINGER");
	close(fds[1 - asking]);
	sockets[fds[asking]].partner = -1;
}

/* Those that reset come one by one, the others all before. */
static void herds_begin(void)
{
	for (struct herd *herd = herds; herd < herds + herd_count; herd++)
		while (herd->kind != RESET && herd->begun < herd->count)
			herd_pair(herd);
}

static void herds_reset_one(void)
{
	for (struct herd *herd = herds; herd < herds + herd_count; herd++)
		if (herd->kind == RESET && herd->begun < herd->count)
			herd_pair(herd);
}

/* Once in a second, a byte of each that is slow. */
static void herds_drip(void)
{
	static double next;

	if (now_ms() < next)
		return;
	next = now_ms() + 1000;
	for (struct herd *herd = herds; herd < herds + herd_count; herd++) {
		long at = herd->next++;
		unsigned char byte = at < (long)sizeof(opening) ? opening[at] : 0;

		for (long i = 0; herd->kind == SLOW && i < herd->begun; i++)
			send(herd->peers[i], &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

/* Storms. */

static int compare_times(const void *one, const void *other)
{
	const double *a = one, *b = other;

	return *a < *b ? -1 : *a > *b;
}

/* Hears one outcome of that end's; whether it was the last of a pair of the storm, which then took *TOOK. */
static bool storm_outcome(const struct end *end, double *took)
{
	struct consumer_outcome outcome;
	struct asking *asking;
	int partner;

	if (!outcome_of(end, 0, &outcome))
		return false;
	asking = sockets[outcome.socket].asking;
	partner = sockets[outcome.socket].partner;
	asking->told[-outcome.status]++;
	sockets[outcome.socket].asking = NULL;
	for (struct herd *herd = herds; herd < herds + herd_count; herd++) {
		if (asking == &herd->asking) {
			if (herd->kind == RESET)
				close(outcome.socket);
			return false;
		}
	}
	if (sockets[partner].asking)
		return false;
	*took = now_ms() - sockets[partner].asked;
	close(outcome.socket);
	close(partner);
	return true;
}

static void print_asking(const struct asking *asking, const char *what)
{
	tell(asking->end, "%sagain:%ld", what, asking->again);
	for (int status = 0; status < 4096; status++)
		if (asking->told[status])
			printf(" %s:%ld", error_name(status), asking->told[status]);
}

static void storm(char *argument)
{
	static struct asking sides[2];
	long total = atol(strsep(&argument, ":")), at_once = atol(strsep(&argument, ":")), asked = 0, ended = 0;
	double *took = calloc(total, sizeof(*took)), heard = now_ms(), began;

	learn(&sides[0], &c, strsep(&argument, ":"));
	learn(&sides[1], &s, strsep(&argument, ":"));
	checked(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ MOST_SOCKETS, MOST_SOCKETS }), "RLIMIT_NOFILE");
	herds_begin();
	began = now_ms();
	while (ended < total && now_ms() - heard < LONGEST_WAIT) {
		struct pollfd entries[2] = { { .fd = c.device, .events = POLLIN }, { .fd = s.device, .events = POLLIN } };

		if (asked < total && asked - ended < at_once) {
			herds_reset_one();
			storm_pair(sides);
			asked++;
		}
		checked(poll(entries, 2, asked < total && asked - ended < at_once ? 0 : 200), "poll");
		for (int i = 0; i < 2; i++) {
			if (entries[i].revents) {
				heard = now_ms();
				ended += storm_outcome(sides[i].end, &took[ended]);
			}
		}
		herds_drip();
	}
	print_asking(&sides[0], "");
	print_asking(&sides[1], "");
	for (int i = 0; i < herd_count; i++)
		print_asking(&herds[i].asking, "herd ");
	if (!ended)
		return;
	qsort(took, ended, sizeof(*took), compare_times);
	printf(", ms %.1f %.1f %.0f", took[ended / 2], took[ended * 99 / 100], now_ms() - began);
}
