# Completion of handclasp(8) for fish.
function __handclasp
    complete -c handclasp -n "__fish_seen_subcommand_from $argv[1]" $argv[2..]
end

complete -c handclasp -f
complete -c handclasp -n __fish_use_subcommand -l help -d 'Print the commands'
complete -c handclasp -n __fish_use_subcommand -l version -d 'Print the version'
for command in \
        agent\t'Do the handshakes that the kernel asks for' \
        check\t'Tell whether this host is ready' \
        connect\t'A TLS 1.3 client' \
        serve\t'A TLS 1.3 server' \
        status\t'Print the status of the agent' \
        verify\t'Validate a certificate chain'
    set --local parts (string split \t $command)
    complete -c handclasp -n __fish_use_subcommand -a $parts[1] -d $parts[2]
end

__handclasp agent -s l -l log-format -x -a 'human json' -d 'Form of the log'
__handclasp agent -l keylog -r -F -d 'Write the secrets of each session'
__handclasp agent -s s -l status -r -F -d 'Socket for the status'
__handclasp agent -l netns -x -d 'Network namespace to serve, too'
__handclasp agent -l netns-all -d 'Serve all named network namespaces'
for command in agent check
    __handclasp $command -s w -l workers -x -d 'How many workers'
    __handclasp $command -s c -l config -r -F -d Configuration
    __handclasp $command -s h -l help -d 'Print the options'
end

__handclasp connect -l servername -x -d 'Name to ask for'
__handclasp serve -l require-client-cert -d 'Refuse clients without a certificate'
__handclasp serve -l http -d 'Answer with a page'
__handclasp serve -l accept -x -d 'End after so many connections'
for command in connect serve
    __handclasp $command -l cafile -r -F -d 'Authorities to trust'
    __handclasp $command -l cert -r -F -d 'Our certificate'
    __handclasp $command -l key -r -F -d 'Its private key'
    __handclasp $command -l psk-identity -x -d 'Identity of an external PSK'
    __handclasp $command -l psk -x -d 'Its key, in hex'
    __handclasp $command -l psk-file -r -F -d 'A file with its key'
    __handclasp $command -l psk-hash -x -a 'sha256 sha384' -d 'Its hash'
    __handclasp $command -l alpn -x -d 'Application protocols'
    __handclasp $command -l groups -x -d 'Key exchange'
    __handclasp $command -l suites -x -d 'Cipher suites'
    __handclasp $command -l keylog -r -F -d 'Append the secrets'
    __handclasp $command -l keymatexport -x -d 'Print exported keying material'
    __handclasp $command -l trace -d 'Show each handshake message'
    __handclasp $command -l ktls -d 'Let the kernel encrypt'
    __handclasp $command -s h -l help -d 'Print the options'
end

__handclasp status -s j -l json -d 'As JSON'
__handclasp status -s p -l prometheus -d 'For Prometheus'
__handclasp status -s s -l socket -r -F -d 'Where the agent listens'
__handclasp status -s h -l help -d 'Print the options'

__handclasp verify -F
__handclasp verify -l cafile -r -F -d 'Trust anchors'
__handclasp verify -l host -x -d 'Name to prove'
__handclasp verify -l purpose -x -a 'server client rpc-server rpc-client' -d Purpose
__handclasp verify -l time -x -d 'Time to validate at'
__handclasp verify -l crl -r -F -d 'Revocation lists'
__handclasp verify -l crl-required -x -a 'end-entity whole-path' -d 'What needs a list'
__handclasp verify -l max-intermediates -x -d 'Longest path'
__handclasp verify -l as-agent -d 'Waive what the agent waives'
__handclasp verify -s h -l help -d 'Print the options'
