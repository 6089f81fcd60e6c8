# Long ones, for `make soak`. Each measures what Handclasp does on both hosts, and beside it, in the same boot, what tlshd does.

# Runs COMMAND with each program as the agent of both hosts; only with ours it must succeed.
beside_tlshd() { with_each 'handclasp tlshd' "$@"; } # COMMAND...
only_ours() { with_each handclasp "$@"; }            # COMMAND...
with_each() { # PROGRAMS COMMAND...
    local status loglevel=0
    echo 8192 >$tracing/buffer_size_kb
    # In memory: a line through 9p takes longer than a handshake.
    agent_log() { echo "/run/$program.$1.log"; }
    for program in $1; do
        CLIENT=$program SERVER=$program
        echo "== $program"
        status=0
        ("${@:2}") || status=$?
        [ $status = 0 ] || tell_measure 'ended with status' $status
        [ $status = 0 ] || [ $program = tlshd ] || exit $status
        # Children of tlshd's as well.
        for host in c s; do echo 1 >"$(agent_cgroup $host)/cgroup.kill"; done
        for host in c s; do agent_kill $host; done
        psk_clear
    done
}
tell_measure() { # WHAT VALUE
    printf '%s\t%s\t%s\n' "$scenario: $1" "$program" "$2" | tee -a "$job/measures"
}

# How c and s ask.
agents_x509() {
    agents client server
    ask_c=x509=name=server.test,timeout=600000 ask_s=x509=timeout=600000
}
agents_anon() {
    agents_x509
    ask_c=${ask_c/x509/anon}
}
agents_psk() {
    local keyring key
    key=$(psk 1 a)
    keyring=$(keyctl id %keyring:.nvme)
    agents none none
    ask_c=psk=timeout=600000,keyring=$keyring,peerids=$key ask_s=psk=timeout=600000,keyring=$keyring
}

# Ours by $groups alone, if they are set.
agents() { # CERTIFICATE-OF-C CERTIFICATE-OF-S
    local host
    configure c "$1"
    configure s "$2"
    for host in c s; do
        [ -z "${groups-}" ] || [ "$program" = tlshd ] ||
            printf '[authenticate.%s]\npolicy.groups=%s\n' client "$groups" server "$groups" >>"/run/$host.conf"
        agent_start $host
    done
}

# One at a time, also without the post-quantum group, which tlshd does not have; then twenty and two hundred in each role at once, and
# of ours a thousand. (A thousand processes of tlshd in each role take half an hour here.)
soak-storm() {
    local kind
    beside_tlshd singles_of anon
    for kind in x509 psk; do
        beside_tlshd singles_of $kind
        groups=x25519 only_ours singles_of $kind
        beside_tlshd storm_of $kind 20
        beside_tlshd storm_of $kind 200
        only_ours storm_of $kind 1000
    done
}

# The best of five: what else the host does meanwhile counts as theirs.
singles_of() { # KIND
    local host told rates=/run/rates what="$1${groups:+ by $groups}"
    "agents_$1"
    warm_up
    for host in c s; do tell_measure "$what, idle, agent of $host, memory (KiB, RSS and PSS of all its processes)" "$(memory_resident $host)"; done
    rm -f $rates.*
    echo >$tracing/trace
    for _ in 1 2 3 4 5; do
        told=$(run_storm 40:1)
        echo "$told" >>$rates.told
        for host in c s; do per_cpu_second "$(good_ones $host "$told")" $host >>$rates.$host; done
    done
    tell_measure "$what, one at a time: ms for half, for 99 %, for all of 40" "${told##*ms }"
    for host in c s; do
        tell_measure "$what, one at a time, agent of $host: handshakes per second of CPU" "$(sort -n $rates.$host | tail -n 1)"
        tell_measure "$what, one at a time, agent of $host: ms from ACCEPT to DONE, p50, p99, max" \
            "$(request_times | sed -n "s/^$host [^ ]* //p" | sort -g | percentiles_of)"
    done
    tell_measure "$what, one at a time: system calls per pair of handshakes, both agents" "$(calls_of 50)"
    while read -r told; do all_good 40 "$told"; done <$rates.told
}

storm_of() { # KIND TOTAL
    local host told
    "agents_$1"
    warm_up
    echo >$tracing/trace
    told=$(run_storm "$2:$2")
    tell_measure "$1, $2 at once: told" "${told%, ms*}"
    tell_measure "$1, $2 at once: ms for half, for 99 %, for all" "${told##*ms }"
    tell_measure "$1, $2 at once: ms from request to ACCEPT, p50, p99, max" \
        "$(request_times | cut -d ' ' -f 2 | sort -g | percentiles_of)"
    for host in c s; do
        tell_measure "$1, $2 at once, agent of $host: good handshakes per second of CPU" \
            "$(per_cpu_second "$(good_ones $host "$told")" $host)"
        tell_measure "$1, $2 at once, agent of $host: memory at its peak (KiB)" "$(memory_peak $host)"
    done
    all_good "$2" "$told"
}

# The emulator translates code when it runs for the first times, in each of the workers.
warm_up() { $consumer/driver "storm=100:5:$ask_c:$ask_s"; }

# Plays a storm, and remembers what the agents used for it.
run_storm() { # TOTAL:AT-ONCE [DRIVER-STEP...]
    local host
    for host in c s; do
        cpu_of $host >/run/$host.cpu
    done
    $consumer/driver "${@:2}" "storm=$1:$ask_c:$ask_s" || true
}
cpu_of() { sed -n 's/^usage_usec //p' "$(agent_cgroup "$1")/cpu.stat"; } # HOST: in µs, of all processes that there were
per_cpu_second() {                                                       # HANDSHAKES HOST
    echo $(($1 * 1000000 / ($(cpu_of "$2") - $(cat "/run/$2.cpu") + 1)))
}
good_ones() { grep -oE "$1 again:[0-9]+ 0:[0-9]+" <<<"$2" | grep -oE '[0-9]+$' || echo 0; } # HOST WHAT-THE-STORM-TOLD
memory_resident() { # HOST
    cat $(processes_of "$1" | sed 's|.*|/proc/&/smaps_rollup|') |
        awk '{ sum[$1] += $2 } END { print sum["Rss:"], sum["Pss:"] }'
}
memory_peak() { echo $(($(cat "$(agent_cgroup "$1")/memory.peak") / 1024)); } # HOST

# From the tracepoints, of each request that was answered: whose it was, ms until its ACCEPT, and from there to its DONE. The host c
# asks first, and an ACCEPT may be noted before the request is.
request_times() {
    awk '
        match($0, / [0-9]+\.[0-9]+: handshake_[a-z_]+: req=[0-9a-f]+/) {
            split(substr($0, RSTART + 1, RLENGTH - 1), word, /[ :=]+/)
            time = word[1] * 1000
            request = word[4]
            if (word[2] == "handshake_submit") {
                submitted[request] = time
                host[request] = count++ % 2 ? "s" : "c"
            }
            if (word[2] == "handshake_cmd_accept") accepted[request] = time
            if (word[2] == "handshake_cmd_done" && request in submitted && request in accepted) {
                waited = accepted[request] - submitted[request]
                print host[request], (waited > 0 ? waited : 0), time - accepted[request]
                delete submitted[request]
                delete accepted[request]
            }
        }' $tracing/trace
}
percentiles_of() {
    awk '{ value[NR] = $1 } END { if (NR) printf "%.1f %.1f %.1f of %d\n", value[int(NR / 2) + 1], value[int(NR * 0.99) + 1], value[NR], NR }'
}

# The system calls of both agents in a storm of so many.
calls_of() { # TOTAL
    local events=$tracing/events/raw_syscalls/sys_enter trigger='hist:keys=id if comm == "handclasp" || comm == "exe" || comm == "tlshd"'
    echo "$trigger" >"$events/trigger"
    run_storm "$1:1" >/dev/null
    awk -v total="$1" '/^ *Hits:/ { printf "%.1f\n", $2 / total }' "$events/hist"
    echo "!$trigger" >"$events/trigger"
}

# Good handshakes go through one by one, at first alone, and then beside two hundred bad peers of each kind: of the servers', and
# of the clients'.
soak-peers() {
    beside_tlshd peers s
    only_ours peers c
}
peers() { # ROLE: whose peers are bad
    local told ask=ask_$1 herds=() kind
    agents_x509
    warm_up
    told=$(run_storm 200:1)
    tell_measure "$1: alone: ms for half, for 99 %, for all" "${told##*ms }"
    for kind in silent slow reset; do herds+=("herd=$kind:200:$1.${!ask}"); done
    told=$(run_storm 200:1 "${herds[@]}")
    tell_measure "$1: beside 600 bad peers: ms for half, for 99 %, for all" "${told##*ms }"
    tell_measure "$1: beside 600 bad peers: told" "${told%, ms*}"
    all_good 200 "$told"
}
all_good() { # TOTAL WHAT-THE-STORM-TOLD
    [[ $2 =~ ^c\ again:[0-9]+\ 0:$1,\ s\ again:[0-9]+\ 0:$1, ]] || fail "not all were told 0: $2"
}

# Ten thousand handshakes, of both ends, leave nothing behind: no key, no process, no descriptor, no memory.
soak-leak() {
    only_ours leaks x509 2500
    only_ours leaks psk 2500
}
leaks() { # KIND TOTAL
    local told before host memory
    "agents_$1"
    # A heap keeps the room of the most handshakes that were ever in it at once, which by chance become more, and ever more seldom.
    run_storm 2000:50 >/dev/null
    wait_for 10 'the sockets of the first ones to be closed' idle_agents
    before=$(left_behind)
    for host in c s; do memory_own $host >/run/$host.memory; done
    told=$(run_storm "$2:50")
    all_good "$2" "$told"
    wait_for 10 'the sockets to be closed' idle_agents
    tell_measure "$1, $2 of each end: left behind" "$(diff <(echo "$before") <(left_behind) | grep '^[<>]' | tr '\n' ' ')"
    for host in c s; do
        memory=$(($(memory_own $host) - $(cat /run/$host.memory)))
        tell_measure "$1, $2 of each end, agent of $host: memory grown by (KiB, anonymous)" $memory
        [ $memory -lt 256 ] || fail "the agent of $host grew by $memory KiB"
    done
    [ "$before" = "$(left_behind)" ] || fail "before: $before; after: $(left_behind)"
}
processes_of() { cat "$(agent_cgroup "$1")/cgroup.procs"; } # HOST
# Whatever can be counted.
left_behind() {
    local host process
    for host in c s; do
        for process in $(processes_of $host); do
            echo "agent of $host, process $process: $(ls "/proc/$process/fd" | wc -l) descriptors"
        done
    done
    echo "keys: $(wc -l </proc/keys)"
}
idle_agents() {
    local host
    for host in c s; do ask_status $host --prometheus | grep -qx 'handclasp_handshakes_in_flight 0' || return; done
}
memory_own() { # HOST: of all its processes
    cat $(processes_of "$1" | sed 's|.*|/proc/&/status|') | awk '/^RssAnon:/ { sum += $2 } END { print sum }'
}
