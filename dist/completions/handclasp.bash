# Completion of handclasp(8) for bash.
_handclasp() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    case ${COMP_WORDS[1]} in
    agent) words='-c --config -w --workers -l --log-format -s --status --keylog --netns --netns-all -h --help' ;;
    check) words='-c --config -w --workers -h --help' ;;
    connect) words="--servername $_handclasp_tls" ;;
    serve) words="--require-client-cert --http --accept $_handclasp_tls" ;;
    status) words='-j --json -p --prometheus -s --socket -h --help' ;;
    verify) words='--cafile --host --purpose --time --crl --crl-required --max-intermediates --as-agent -h --help' ;;
    esac
    [ "$COMP_CWORD" -gt 1 ] || words='agent check connect serve status verify --help --version'
    case $before in
    -c | --config | -s | --status | --socket | --cafile | --cert | --key | --psk-file | --keylog | --crl)
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    -l | --log-format) words='human json' ;;
    --psk-hash) words='sha256 sha384' ;;
    --purpose) words='server client rpc-server rpc-client' ;;
    --crl-required) words='end-entity whole-path' ;;
    esac
    case $word in
    -* | '') mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word" && compgen -f -- "$word") ;;
    esac
}
_handclasp_tls='--cafile --cert --key --psk-identity --psk --psk-file --psk-hash --alpn --groups --suites --keylog --keymatexport --trace --ktls -h --help'
complete -F _handclasp handclasp
