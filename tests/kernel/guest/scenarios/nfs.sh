# NFS with RPC over TLS (RFC 9289): nfsd is the x.509 server, the NFS client is anonymous (tls) or has a certificate (mtls).

nfs-tls() {
    agent c none
    agent s server
    nfs_compare tls /tls
    carried_by_ktls
    post_quantum
}

# The export of /mtls takes a client only if nfsd was told that it has shown a certificate.
nfs-mtls() {
    agent c client
    agent s server
    nfs_compare mtls /mtls
    carried_by_ktls
}

nfs-mtls-rsa() {
    agent c client-rsa
    agent s server-rsa
    nfs_compare mtls /mtls
}

nfs-mtls-ed25519() {
    tlshd_cannot s 1.0 'takes a peer with an Ed25519 certificate for one without'
    agent c client-ed25519
    agent s server-ed25519
    nfs_compare mtls /mtls
}

nfs-address() {
    agent c none
    agent s server
    nfs_compare tls /tls $server_address
}

nfs-address6() {
    tlshd_cannot c 1 'sends an IPv6 address as a server name'
    agent c none
    agent s server
    nfs_compare tls /tls "[$server_address6]"
}

nfs-keyring-certificate() {
    local certificate key
    [ -e /proc/keys ] && grep -q ' \.nfs:' /proc/keys || skip "this kernel's NFS takes no certificate from a keyring"
    tlshd_cannot c 1 'presents no certificate from a keyring'
    agent c none
    agent s server
    certificate=$(keyctl padd user certificate %keyring:.nfs <$certificates/client.pem.der)
    key=$(keyctl padd user key %keyring:.nfs <$certificates/client.key.der)
    nfs_compare mtls /mtls server.test "cert_serial=$certificate,privkey_serial=$key"
}

# Refusals. The message is what the user of mount sees; the agents' lines must tell why.

nfs-wrong-authority() {
    agent c none
    agent s server-wrong-ca
    nfs_refused 'access denied' tls /tls
    agent_answers c -13
    agent_answers s -13
    nobody_timed_out
}

nfs-expired() {
    agent c none
    agent s server-expired
    nfs_refused 'access denied' tls /tls
    agent_answers c -13
    agent_answers s -13
    nobody_timed_out
}

nfs-wrong-name() {
    agent c none
    agent s server-wrong-name
    nfs_refused 'access denied' tls /tls
    agent_answers c -13
    agent_answers s -13
    nobody_timed_out
}

nfs-address-without-san() {
    agent c none
    agent s server-without-address
    nfs_refused 'access denied' tls /tls $server_address
    agent_answers c -13
}

nfs-mtls-wrong-authority() {
    agent c client-wrong-ca
    agent s server
    nfs_refused "$refused_late" mtls /mtls
    agent_answers s -13
}

nfs-mtls-demanded() {
    agent c none
    agent s server
    nfs_refused 'operation not permitted' tls /mtls
    agent_answers c 0
}

nfs-no-certificate() {
    agent c none
    agent s server
    nfs_refused 'access denied' mtls /mtls
}
