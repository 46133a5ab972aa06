"""What guards tools from outside, what goes out, triggers, and who reads the metrics."""

from tests.mutations.mutation import API, GRAPHS, STORIES, Mutation, controls

_TOOLS = f"{STORIES}/test_tools_from_outside.py"
_HTTP = "tests/tools/outside/test_http.py"
_MCP = "tests/tools/outside/test_mcp.py"
_SQL = "tests/tools/outside/test_sql.py"

CONTROLS: list[Mutation] = [
    *controls(
        "outside",
        "graphs/admissions.py",
        (
            "only who may admits",
            'await self._require(name, principal, "admit")',
            "pass",
            (f"{_TOOLS}::test_who_may_not_admit_is_refused_and_on_the_record",),
        ),
        (
            "only what was seen is admitted",
            "if offered.digest != digest:",
            "if False:",
            (f"{_TOOLS}::test_only_what_was_seen_is_admitted",),
        ),
        (
            "what says that it writes is no source",
            "if done is Effect.READ and offered.says_it_writes:",
            "if False:",
            (
                (
                    f"{_TOOLS}"
                    "::test_whoever_admits_may_know_better_than_hints_but_not_than_a_tool_that_says_it_writes"
                ),
            ),
        ),
    ),
    *controls(
        "outside",
        "tools/outside/governed.py",
        (
            "what is withdrawn does nothing",
            (
                "        perform=_not_admitted if admitted.withdrawn else calling.perform,\n"
                "        ready=_never_ready if admitted.withdrawn else calling.ready,\n"
            ),
            "        perform=calling.perform,\n        ready=calling.ready,\n",
            (f"{_TOOLS}::test_a_tool_that_is_withdrawn_does_nothing_any_more",),
        ),
        (
            "of what nothing is said every argument is of authority",
            "frozenset(arguments.model_fields) if settings.authority is None else settings.authority",
            "settings.authority or frozenset()",
            (_MCP,),
        ),
    ),
    *controls(
        "outside",
        "tools/outside/definition.py",
        (
            "what says nothing of itself writes",
            'return Effect.READ if self.hints.get("readOnlyHint") is True else Effect.WRITE',
            'return Effect.READ if self.hints.get("readOnlyHint") is not False else Effect.WRITE',
            (f"{_MCP}::test_hints_speak_first_and_what_says_nothing_is_irreversible",),
        ),
        (
            "of tools that share a name none is told apart",
            "fine = [one for one in found if names.count(one.name) == 1]",
            "fine = list(found)",
            (f"{_MCP}::test_two_tools_of_one_name_are_both_refused",),
        ),
    ),
    *controls(
        "outside",
        "tools/outside/mcp.py",
        (
            "a tool that is another one now is not called",
            "if now != [definition.digest]:",
            "if False:",
            (f"{_MCP}::test_a_tool_that_changes_in_any_way_is_not_called",),
        ),
    ),
    *controls(
        "outside",
        "tools/outside/openapi.py",
        (
            "an operation that is described otherwise is not called",
            "if definition.digest not in {one.digest for one in same}:",
            "if False:",
            (
                (
                    "tests/tools/outside/test_openapi.py"
                    "::test_an_operation_that_is_described_otherwise_is_not_called"
                ),
            ),
        ),
    ),
    *controls(
        "outside",
        "tools/outside/sql.py",
        (
            "a role that could write reads nothing",
            "            await self._require_reader(connection)\n",
            "",
            (f"{_SQL}::test_a_role_that_could_write_reads_nothing",),
        ),
    ),
    *controls(
        "outgoing",
        "tools/outside/http.py",
        (
            "every address of a host is looked at",
            "if why := [said for address in found for one in places if (said := objection(address, one))]:",
            "if why := []:",
            (_HTTP,),
        ),
        (
            "the connection goes to the address that was checked",
            "return await self._real.connect_tcp(address, port,",
            "return await self._real.connect_tcp(host, port,",
            (f"{_HTTP}::test_a_name_that_only_the_check_knows_is_connected_to_all_the_same",),
        ),
        (
            "a request is not addressed to another host",
            'if request.headers.get_list("host") != [request.url.netloc.decode("ascii")]:',
            "if False:",
            (f"{_HTTP}::test_a_request_cannot_be_addressed_to_another_host_on_the_way",),
        ),
        (
            "an answer has an end",
            "            if self._left < 0:\n",
            "            if False:\n",
            (f"{_HTTP}::test_an_answer_that_is_too_much_is_not_read",),
        ),
        (
            "no proxy comes in between",
            (
                "super().__init__(verify=guard.tls, trust_env=False)\n        self._guard = guard\n"
                "        self._pool = httpcore.AsyncConnectionPool(\n"
                "            ssl_context=guard.tls, max_connections=10,"
                " network_backend=_GuardedBackend(guard)\n"
                "        )\n"
            ),
            "super().__init__(verify=guard.tls)\n        self._guard = guard\n",
            (_HTTP,),
        ),
    ),
    *controls(
        "outgoing",
        "tools/outside/addresses.py",
        (
            "a private address is nobody's",
            'return None if destination.allow_private or _is_global(ip) else "is private"',
            "return None",
            (f"{_HTTP}::test_a_private_address_is_refused_unless_it_is_allowed",),
        ),
        (
            "some addresses are never spoken to",
            "if any(ip in network for network in _NEVER if network.version == ip.version):",
            "if False:",
            (f"{_HTTP}::test_some_addresses_are_refused_whatever_is_allowed",),
        ),
        (
            "without TLS only this machine is spoken to",
            "if destination.plain:",
            "if False:",
            (_HTTP,),
        ),
    ),
    *controls(
        "triggers",
        "graphs/looks.py",
        (
            "a service that may not start cases starts none",
            "if START not in service.scopes:",
            "if False:",
            (
                (
                    f"{GRAPHS}/test_inbox_folders.py"
                    "::test_a_service_that_lost_its_right_leaves_the_files_where_they_are"
                ),
            ),
        ),
        (
            "a trigger that was put off is left alone",
            "if state is None or (state.wake_at is not None and state.wake_at > parts.clock()):",
            "if state is None:",
            (
                (
                    f"{GRAPHS}/test_inbox_folders.py"
                    "::test_a_folder_that_cannot_be_used_is_said_once_and_tried_again_later"
                ),
            ),
        ),
    ),
    *controls(
        "triggers",
        "tools/triggers/folder.py",
        (
            "only regular files are read, and nothing that lies elsewhere too",
            "if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:",
            "if False:",
            (f"{GRAPHS}/test_inbox_folders.py::test_what_is_no_regular_file_is_not_read_and_moved_as_it_is",),
        ),
    ),
    *controls(
        "triggers",
        "tools/triggers/table.py",
        (
            "a watched table is not written to",
            "            await self._connection.set_read_only(True)\n",
            "",
            (f"{GRAPHS}/test_watched_tables.py::test_the_table_cannot_be_written_through",),
        ),
    ),
    *controls(
        "metrics",
        "api/access.py",
        (
            "metrics are read with a scope of their own",
            '    "metrics:read": ("scrape",),\n}\n',
            '    "metrics:read": (),\n}\nROUTES[ANYBODY] += ("scrape",)\n',
            (f"{API}/test_access.py",),
        ),
        (
            "metrics are no person's to read",
            '    "metrics:read": ("scrape",),\n}\n',
            '    "metrics:read": ("scrape",),\n}\nROUTES[ANY_PERSON] += ("scrape",)\n',
            (f"{API}/test_access.py",),
        ),
    ),
]
