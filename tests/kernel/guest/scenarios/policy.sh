# Policy of our own in the configuration. Whatever is set wrongly refuses; the same mount goes through when it is set right.

# Writes an agent's configuration with more settings, and starts the agent, or has it read them if it runs.
with_policy() { # HOST CERTIFICATE SETTING...
    [ "$CLIENT$SERVER" = handclasphandclasp ] || skip 'tlshd has no such policy'
    configure "$1" "$2"
    printf '%s\n' "${@:3}" >>"/run/$1.conf"
    # A policy that is read is a policy that check accepts.
    /run/handclasp check --config "/run/$1.conf" | grep '^ok .*configuration' || fail "check refuses the configuration"
    if agent_runs "$1" 2>/dev/null; then
        : >"$(agent_log "$1")"
        agent_signal "$1" HUP
        wait_for 10 "the agent to say that it has reloaded" has_reloaded "$1"
    else
        agent_start "$1"
    fi
}
client='[authenticate.client]'
server='[authenticate.server]'

nfs-allow-list() {
    agent c client
    with_policy s server 'allow.san=other.test;*.client.test' 'allow.issuer=CN=Handclasp test: ca'
    nfs_refused "$refused_late" mtls /mtls
    agent_answers s -13
    agent_says s "not allowed by allow.san: it shows 'client.test'; we sent alert access_denied"
    nobody_timed_out
    with_policy s server 'allow.san=other.test;client.test' 'allow.issuer=CN=Handclasp test: other-ca'
    nfs_refused "$refused_late" mtls /mtls
    agent_says s "not allowed by allow.issuer: it shows 'CN=Handclasp test: ca'"
    with_policy s server 'allow.dn=CN=client' 'allow.san=other.test;client.test' 'allow.issuer=CN=Handclasp test: ca'
    nfs_compare mtls /mtls
}

# The server's key is pinned. What the refusal shows is what lets it in.
nfs-allow-key() {
    local hash
    agent s server
    with_policy c none "$client" "allow.spki_sha256=$(printf '0%.0s' {1..64})"
    nfs_refused 'access denied' tls /tls
    agent_answers c -13
    agent_says c 'not allowed by allow.spki_sha256: it shows [0-9a-f]{64}'
    hash=$(sed -nE 's/.*allow.spki_sha256: it shows ([0-9a-f]{64}).*/\1/p' "$(agent_log c)" | head -n 1)
    with_policy c none "$client" "allow.spki_sha256=$hash"
    nfs_compare tls /tls
}

nfs-certificate-required() {
    agent c client
    with_policy s server policy.client_certificate=required
    nfs_refused "$refused_late" tls /tls
    agent_answers s -13
    agent_says s 'FAILED with EACCES.*certificate_required'
    nobody_timed_out
    nfs_compare mtls /mtls
}

nfs-rsa-bits() {
    agent c client-rsa
    with_policy s server policy.rsa_bits=3072
    nfs_refused "$refused_late" mtls /mtls
    agent_answers s -13
    agent_says s 'an RSA key of 2048 bits, and 3072 are demanded'
    nobody_timed_out
    with_policy s server policy.rsa_bits=2048
    nfs_compare mtls /mtls
}

nfs-suites() {
    with_policy c none "$client" policy.suites=TLS_AES_128_GCM_SHA256
    with_policy s server 'policy.suites=TLS_CHACHA20_POLY1305_SHA256;TLS_AES_256_GCM_SHA384'
    nfs_refused 'access denied' tls /tls
    agent_answers c -13
    agent_answers s -13
    agent_says s 'no cipher suite in common'
    nobody_timed_out
    with_policy c none "$client" 'policy.suites=TLS_AES_256_GCM_SHA384;TLS_CHACHA20_POLY1305_SHA256'
    nfs_compare tls /tls
    agent_says c 'done in .*, TLS_CHACHA20_POLY1305_SHA256'
    carried_by_ktls
}

nfs-post-quantum-required() {
    local reason='policy.require_pq or policy.groups allow no group but X25519MLKEM768'
    with_policy c none "$client" policy.groups=x25519
    with_policy s server policy.require_pq=true
    nfs_refused 'access denied' tls /tls
    agent_says s "no group in common \\($reason\\)"
    with_policy c none "$client" policy.require_pq=true
    with_policy s server policy.groups=x25519
    nfs_refused 'access denied' tls /tls
    agent_says c "the peer refused with alert handshake_failure \\($reason\\)"
    nobody_timed_out
    with_policy s server
    nfs_compare tls /tls
    agent_says c 'done in .*X25519MLKEM768'
}

nfs-alpn() {
    agent c none
    agent s server
    nfs_compare tls /tls
    [ "$CLIENT$SERVER" != handclasphandclasp ] || agent_says s 'done in .*alpn sunrpc'
    agent_kill c
    agent_kill s
    with_policy c none "$client" policy.alpn=required
    with_policy s server policy.alpn=never
    nfs_refused 'access denied' tls /tls
    agent_answers c -13
    agent_says c 'FAILED.*no application protocol in common'
    with_policy s server policy.alpn=always
    nfs_compare tls /tls
}

# A certificate for one address of the server, another for all others.
nfs-profile-address() {
    agent c none
    install_certificate inner server
    with_policy s server-wrong-name '[authenticate.server.inner]' "match.local_address=$server_address6" \
        x509.certificate=/run/inner.pem x509.private_key=/run/inner.key
    nfs_refused 'access denied' tls /tls
    nfs_compare tls /tls "[$server_address6]"
    agent_says s 'by \[authenticate.server.inner\]: done'
}

# Whom to trust, by the port of the service and the network of the client.
nfs-profile-port() {
    local trust="x509.truststore=$certificates/other-ca.pem"
    agent c client
    with_policy s server '[authenticate.server.nfs]' match.local_port=2049 "$trust"
    nfs_refused "$refused_late" mtls /mtls
    agent_answers s -13
    agent_says s 'by \[authenticate.server.nfs\]: FAILED.*neither sent nor trusted'
    nobody_timed_out
    with_policy s server '[authenticate.server.other]' match.local_port=2050 "$trust" \
        '[authenticate.server.far]' match.local_port=2049 match.peer_address=198.51.100.0/24 "$trust"
    nfs_compare mtls /mtls
}

nfs-deadline() {
    with_policy s server policy.deadline=1
    # As in silent-nfs-client.
    send 2049 '\x80\0\0\x28\0\0\0\1\0\0\0\0\0\0\0\2\0\1\x86\xa3\0\0\0\4\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0'
    agent_answers s -110
    agent_says s 'did not finish within 1000 ms'
}

# The same policy of PSKs: the host's suites have no SHA-384, which its key needs.
nvme-suites() {
    psk 2 a
    with_policy c none "$client" 'policy.suites=TLS_AES_128_GCM_SHA256;TLS_CHACHA20_POLY1305_SHA256'
    agent s none
    nvme_refused 'required key not available|no such|input/output|invalid|not permitted'
    agent_says c 'policy.suites has no suite for a PSK of Sha384'
    with_policy c none "$client" policy.suites=TLS_AES_256_GCM_SHA384
    nvme_compare
}

# A client's first PSK is known but goes with no suite of the server's, and so the next one is asked for.
consumer-psk-suites() {
    local of_c of_s keyring short long
    of_c=$(private_keyring of-c)
    of_s=$(private_keyring of-s)
    for keyring in "$of_s" "$of_c"; do
        short+=("$(raw_psk known a "$keyring")")
        long+=("$(printf '%048d' 0 | keyctl padd psk 'NVMe0R02 host subsystem' "$keyring")")
    done
    agent c none
    with_policy s none "$server" policy.suites=TLS_AES_256_GCM_SHA384
    row 'num_peerids 2, the second goes with the suite' "c 0/${long[1]}, s 0/${long[0]}" \
        pair "c.psk=keyring=$of_c,peerids=${short[1]}:${long[1]}" "s.psk=keyring=$of_s" c.wait s.wait
    as_expected
}

# A consumer that names nobody: the address counts, or, if that is wished, the name that is found for it.
consumer-reverse-dns() {
    local both='c.wait s.wait'
    agent s server-without-address
    with_policy c none "$client" policy.reverse_dns=false
    row 'peername absent, not looked up' 'c EACCES, s EACCES' pair c.anon s.x509 $both
    with_policy c none "$client" policy.reverse_dns=true
    row 'peername absent, looked up' 'c 0, s 0' pair c.anon s.x509 $both
    row 'peername there, not looked up' 'c EACCES, s EACCES' pair c.anon=name=$server_address s.x509 $both
    # Nobody answers there, for longer than anybody waits.
    echo 'nameserver 192.0.2.77' >/run/resolv.conf
    echo '127.0.0.1 localhost' >/run/hosts
    touch /etc/resolv.conf
    trap 'umount /etc/resolv.conf /etc/hosts' EXIT
    mount --bind /run/resolv.conf /etc/resolv.conf
    mount --bind /run/hosts /etc/hosts
    row 'peername absent, nobody knows it' 'c ETIMEDOUT' pair c.anon c.wait
    agent_says c 'FAILED with ETIMEDOUT.*reverse DNS knows none for its address now'
    as_expected
}

# What people complain about, as `handclasp check` finds it.
check-doctor() {
    [ "$CLIENT$SERVER" = handclasphandclasp ] || skip 'tlshd has no check'
    agent s server
    told_by_check() { # REGULAR-EXPRESSION COMMAND-BEFORE-IT...
        "${@:2}" /run/handclasp check --config /run/s.conf >/run/check.out 2>&1 || true
        grep -E "$1" /run/check.out || fail "check does not say /$1/, but: $(cat /run/check.out)"
    }
    told_by_check '^ok .*kernel .*takes the results'
    told_by_check '^ok .*cipher .*TLS_CHACHA20_POLY1305_SHA256'
    told_by_check '^ok .*server .*any client is taken that has a certificate of these authorities'
    told_by_check '^WARN .*netns .*not the network namespace of process 1' on c
    told_by_check '^FAIL .*privileges .*user namespace' unshare --user --map-root-user
    told_by_check '^FAIL .*privileges .*CAP_NET_ADMIN is missing' setpriv --bounding-set=-net_admin --inh-caps=-net_admin
    printf %016d 0 | keyctl padd psk 'NVMe0R01 host subsystem' %keyring:.nvme
    told_by_check '^WARN .*psk .*it has 16 octets, and Sha256 wants 32'
    sed -i '/private_key/d' /run/s.conf
    printf '[authenticate.server]\nx509.private_key=pkcs11:object=key\n' >>/run/s.conf
    told_by_check '^FAIL .*configuration .*/run/s.conf:[0-9]*: .*keys in hardware'
}
