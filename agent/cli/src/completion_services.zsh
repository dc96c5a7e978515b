
# Names of services behind the verbs that take one.
_tidegate_services() {
    local -a names
    names=(${(f)"$(tidegate ls --names 2>/dev/null)"})
    compadd -a names
}
