# Limits that an agent runs into: too few descriptors, a clock that jumps, files in motion.

# Out of descriptors the agent leaves what it cannot take in the kernel's queue, or refuses it at once, and goes on.
descriptors-run-out() {
    local pid
    agent c none
    agent s server
    pid=$(agent_pid s)
    prlimit --pid "$pid" --nofile="$(ls "/proc/$pid/fd" | wc -l)":4096
    nfs_mount tls /tls && fail "the mount was not refused"
    agent_says s 'Too many open files|EMFILE'
    prlimit --pid "$pid" --nofile=1024:4096
    nfs_compare tls /tls
    agent_runs s
}

# Deadlines are of a clock that nobody sets: a day back or forth ends no handshake early and none late.
clock-jumps() {
    local now
    agent c none
    agent s server
    now=$(date +%s)
    row 'silent peer, no jump' 'c ETIMEDOUT' pair c.anon=timeout=5000 c.wait=6000
    for jump in 86400 -86400; do
        date -s "@$((now + jump))" >/dev/null
        # One second after it has asked, the clock jumps.
        (sleep 1 && date -s "@$now" >/dev/null) &
        row "silent peer, a jump of $jump s" 'c ETIMEDOUT' pair c.anon=timeout=5000 c.wait=6000
        wait $!
    done
    as_expected
    [ "$(grep -cE 'FAILED with ETIMEDOUT in (4[5-9]|5[0-9])[0-9][0-9] ms' "$(agent_log c)")" = 3 ] || fail "not at the deadline"
    nfs_compare tls /tls
}

# A configuration replaced by garbage leaves the last good one in force, and the agent says so.
garbage-configuration() {
    agent c none
    agent s server
    head -c 10000 /dev/urandom >/run/s.conf
    agent_signal s HUP
    agent_says s '/run/s.conf: .*; going on with the configuration as it was'
    nfs_compare tls /tls
    printf '[authenticate.server]\nx509.truststore=/nowhere\n' >/run/s.conf
    agent_signal s HUP
    agent_says s '/nowhere.*; going on with the configuration as it was'
    nfs_compare tls /tls
    configure s server-rsa
    rm /run/s.pem
    agent_signal s HUP
    agent_says s '/run/s.pem.*; going on with the configuration as it was'
    # Nobody says that the file has come.
    install_certificate s server-rsa
    wait_for 20 "the agent to say that it has reloaded" has_reloaded s
    nfs_compare tls /tls
    # Of the system's own store nobody here has chosen anything: damaged, it costs only who needs it.
    local store=/etc/ssl/certs/ca-certificates.crt
    [ ! -e $store ] || mv $store $store.good
    mkdir -p ${store%/*}
    echo rubbish >$store
    sed -i /truststore/d /run/c.conf
    agent_signal c HUP
    wait_for 20 "the agent to say that it has reloaded" has_reloaded c
    agent_says c "$store: no certificate in it"
    rm $store
    [ ! -e $store.good ] || mv $store.good $store
}

# Certificates are replaced under load, in no particular order: no handshake fails, and the last one is in use in the end.
certificate-rotation() {
    local i
    agent c none
    agent s server
    (while [ ! -e /run/rotated ]; do mount_tls_and_unmount; done) &
    for i in 1 2 3 4; do
        replace_certificate s server-rsa && agent_signal s HUP
        sleep 2
        replace_certificate s server && agent_signal s HUP
        sleep 2
    done
    touch /run/rotated
    wait $! || fail "a mount was refused during the rotation"
    rm /run/rotated
    grep -c ' done in ' "$(agent_log s)"
    ! grep FAILED "$(agent_log s)" || fail "a handshake failed"
    nfs_compare tls /tls
}
mount_tls_and_unmount() {
    on c mount -i -t nfs4 -o "vers=4.2,xprtsec=tls,addr=$server_address,clientaddr=$client_address" server.test:/tls /mnt &&
        umount /mnt
}
# As those do who know how: whole files, by another name first. The pair does not fit until both are there.
replace_certificate() { # HOST CERTIFICATE
    install -m 644 "$certificates/$2.pem" "/run/$1.pem.new"
    install -m 600 "$certificates/$2.key" "/run/$1.key.new"
    mv "/run/$1.pem.new" "/run/$1.pem"
    mv "/run/$1.key.new" "/run/$1.key"
}
