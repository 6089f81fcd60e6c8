# One agent for several network namespaces, and what it may need to be allowed for that.

# Starts one agent, in neither host, as the agent of c.
one_agent() { # OPTION...
    configure c "${certificate:-server}"
    ${limited-} /run/handclasp agent --config /run/c.conf "$@" >>"$(agent_log c)" 2>&1 &
    echo $! >/run/c.pid
}
wait_served() { wait_for 10 "netns $1 to be served" grep -qx "netns $1: served" "$(agent_log c)"; } # NAMESPACE
wait_left() { wait_for 10 "netns $1 to be left" grep -qx "netns $1: gone" "$(agent_log c)"; }     # NAMESPACE

netns-named() {
    one_agent --netns c --netns s --netns nowhere
    wait_served c
    wait_served s
    agent_says c '^netns nowhere: there is no such network namespace'
    nfs_compare tls /tls
    agent_says c '^client handshake with server.test .* in netns c: done'
    agent_says c '^server x509 handshake with 192.0.2.1:[0-9]* in netns s: done'
    ! grep '^client.* in netns s:\|^server.* in netns c:' "$(agent_log c)" || fail "a request came from the wrong host"
}

# PSKs are found by the agent's rights, wherever the request is from.
nvme-netns() {
    psk 1 a
    one_agent --netns-all
    wait_served s
    nvme_compare
}

# Each agent hears its own namespace alone.
netns-two-agents() {
    one_agent --netns c
    agent s server
    wait_served c
    nfs_compare tls /tls
    agent_says c '^client handshake .* in netns c: done'
    agent_says s '^server x509 handshake with [0-9.:]*: done'
    ! grep ^server "$(agent_log c)" || fail "a request of s came to the agent of c"
}

netns-come-and-go() {
    one_agent --netns-all
    wait_served c
    wait_served s
    late_comes
    wait_served late
    mount_in_late || fail "the mount was refused"
    umount /mnt
    agent_says c '^client handshake .* in netns late: done'
    # Nothing of the agent keeps it from ending: its interface, and so the other end of that, ends with it.
    ip netns del late
    wait_left late
    wait_for 30 "the namespace to end" not ip -n s link show to-late
    nfs_compare tls /tls
    # The same name is another namespace now.
    late_comes
    wait_for 10 "netns late to be served again" late_served_twice
    mount_in_late || fail "the second mount was refused"
    umount /mnt
    ip netns del late
    wait_for 30 "the second namespace to end" not ip -n s link show to-late
}
late_comes() {
    ip netns add late
    ip link add to-late netns s type veth peer veth netns late
    ip -n s address add 198.51.100.2/24 dev to-late
    ip -n late address add 198.51.100.1/24 dev veth
    ip -n s link set to-late up
    ip -n late link set veth up
    ip -n late link set lo up
    ip -n late route add default via 198.51.100.2
}
late_served_twice() { [ "$(grep -cx 'netns late: served' "$(agent_log c)")" = 2 ]; }
mount_in_late() {
    on late timeout 30 mount -v -t nfs4 -o vers=4.2,retry=0,xprtsec=tls server.test:/tls /mnt
}

# What the agent says without one of the capabilities that its unit leaves it, and whether it still serves.
netns-capabilities() {
    local unit=net_admin,setuid,setgid,setpcap,kill
    without '' "$unit" '^ready with'
    mounts
    without net_admin "$unit" 'the kernel gives handshakes only to root \(CAP_NET_ADMIN'
    for capability in setuid setgid setpcap; do
        without $capability "$unit" 'sandbox: changing the user: .*not permitted'
    done
    without kill "$unit" '^ready with'
    mounts
    without '' "$unit,sys_admin" '^netns s: served' --netns s
    without sys_admin "$unit,sys_admin" '^netns s: .*not permitted' --netns s
    mounts
}
mounts() {
    agent s server
    nfs_mount tls /tls || fail "the mount was refused"
    umount /mnt
    agent_kill s
}
without() { # CAPABILITY|'' CAPABILITIES WORDS OPTION...
    local left capability=$1 words=$3
    left=$(tr , '\n' <<<"$2" | grep -vx "$capability" | sed 's/^/+/' | paste -sd ,)
    shift 3
    agent_kill c
    rm -f "$(agent_log c)"
    limited="nsenter --net=/run/netns/c setpriv --bounding-set=-all,$left --inh-caps=-all" one_agent "$@"
    wait_for 60 "the agent without ${capability:-nothing} to say /$words/" grep -qE "$words" "$(agent_log c)"
    echo "=== without ${capability:-nothing}:"
    cat "$(agent_log c)"
}
