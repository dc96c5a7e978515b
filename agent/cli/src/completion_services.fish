
# Names of services behind the verbs that take one.
for verb in connect disconnect doctor dsn env
    complete -c tidegate -n "__fish_tidegate_using_subcommand $verb" -f -a "(tidegate ls --names 2>/dev/null)"
end
