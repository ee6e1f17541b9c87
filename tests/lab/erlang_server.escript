%% Erlang/OTP's server, as network devices and message brokers have it: port, folder with keys, its options as a term.
main([Port, Keys, Options]) ->
    {ok, Tokens, _} = erl_scan:string(Options ++ "."),
    {ok, More} = erl_parse:parse_term(Tokens),
    {ok, _} = application:ensure_all_started(ssh),
    Known = [{system_dir, Keys}, {user_dir, Keys}, {user_passwords, [{"devi", "Ochre.Lantern.5"}]},
             {subsystems, [ssh_sftpd:subsystem_spec([])]}],
    Merged = lists:ukeymerge(1, lists:ukeysort(1, More), lists:ukeysort(1, Known)),
    {ok, _} = ssh:daemon({127, 0, 0, 1}, list_to_integer(Port), Merged),
    io:format("listening on ~s~n", [Port]),
    receive stop -> ok end.
