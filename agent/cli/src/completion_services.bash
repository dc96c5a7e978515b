
# Names of services behind the verbs that take one.
_tidegate_services() {
    case " ${COMP_WORDS[1]} " in
        " connect "|" disconnect "|" doctor "|" dsn "|" env ")
            if [[ "$2" != -* && $COMP_CWORD -eq 2 ]]; then
                COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" ls --names 2>/dev/null)" -- "$2"))
                return 0
            fi
            ;;
    esac
    _tidegate "$@"
}
complete -F _tidegate_services -o nosort -o bashdefault -o default tidegate
