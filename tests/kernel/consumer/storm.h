/* SPDX-License-Identifier: GPL-2.0 */
/* The part of driver.c that plays many connections at once: a storm. */

#define MOST_SOCKETS 65536

/* How one end of many pairs asks. */
struct asking {
	struct end *end;
	char kind[256], *arguments;
	long again;			/* asked when the kernel's queue was full */
	long told[4096];		/* each status how often */
};

/* By descriptor. */
static struct {
	struct asking *asking;		/* of those that asked and have no outcome */
	int partner;
	double asked;
} sockets[MOST_SOCKETS];

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
	if (sockets[partner].asking)
		return false;
	*took = now_ms() - sockets[partner].asked;
	close(outcome.socket);
	close(partner);
	return true;
}

static void print_asking(const struct asking *asking)
{
	tell(asking->end, "again:%ld", asking->again);
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
	began = now_ms();
	while (ended < total && now_ms() - heard < LONGEST_WAIT) {
		struct pollfd entries[2] = { { .fd = c.device, .events = POLLIN }, { .fd = s.device, .events = POLLIN } };

		if (asked < total && asked - ended < at_once) {
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
	}
	print_asking(&sides[0]);
	print_asking(&sides[1]);
	if (!ended)
		return;
	qsort(took, ended, sizeof(*took), compare_times);
	printf(", ms %.1f %.1f %.0f", took[ended / 2], took[ended * 99 / 100], now_ms() - began);
}
