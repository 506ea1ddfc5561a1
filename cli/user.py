"""``spinescribe user``: who may sign in to the service; the first administrator is made here."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from cli import faults
from runtime.errors import ConfigError

if TYPE_CHECKING:
    from service.accounts.users import UserChange
    from service.services import Services
    from service.store.tables import Group

_ROLES = ("radiologist", "researcher", "administrator")
_ACTOR = "system"


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "user",
        help="add and change users of the service",
        description="Add and change users of the service. Passwords are asked for, or read from the standard "
        "input; they are never arguments, which other users of the machine could see.",
    )
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")
    add = _verb(verbs, shared, "add", _add, "add a user")
    add.add_argument("--role", required=True, choices=_ROLES)
    add.add_argument("--display-name", default="", metavar="TEXT", help="name under the user's reports")
    _add_password_source(add)
    add.add_argument("--no-password", action="store_true", help="one who signs in by OpenID Connect alone")
    _verb(verbs, shared, "list", _list, "list users", has_name=False)
    _add_password_source(_verb(verbs, shared, "password", _password, "set a password; ends all sign-ins"))
    _verb(verbs, shared, "deactivate", _deactivate, "let a user sign in no more")
    _verb(verbs, shared, "activate", _activate, "let a deactivated user sign in again")
    groups = _verb(verbs, shared, "groups", _groups, "set all groups of a user; new names make groups")
    groups.add_argument("groups", nargs="*", metavar="GROUP")
    link = _verb(verbs, shared, "link", _link, "link a user to a subject of the OpenID Connect provider")
    link.add_argument("subject", metavar="SUBJECT", help="the provider's id of the user; empty to unlink")


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    shared: argparse.ArgumentParser,
    word: str,
    run: Callable[[argparse.Namespace, Services], str],
    told: str,
    *,
    has_name: bool = True,
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(word, parents=[shared], help=told)
    if has_name:
        parser.add_argument("name", metavar="NAME")
    parser.set_defaults(run=lambda arguments: _run(run, arguments))
    return parser


def _add_password_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--password-stdin", action="store_true", help="read the password from the first line of standard input"
    )


def _run(verb: Callable[[argparse.Namespace, Services], str], arguments: argparse.Namespace) -> int:
    """Open the service, run a verb, print what it says.

    Raises:
        ConfigError: If what was asked for cannot be done.
    """
    # The database is loaded only by the commands that need it.
    from service.config import load_service_config
    from service.errors import ServiceError
    from service.services import Services

    services = Services.open(load_service_config())
    try:
        print(verb(arguments, services), flush=True)
    except ServiceError as error:
        raise ConfigError(str(error)) from None
    finally:
        services.database.close()
    return 0


def _add(arguments: argparse.Namespace, services: Services) -> str:
    from service.accounts.users import add_user
    from service.store.words import Role

    password = None if arguments.no_password else _ask(arguments)
    with services.database.begin() as session:
        user = add_user(
            session,
            _ACTOR,
            arguments.name,
            role=Role(arguments.role),
            display_name=arguments.display_name,
            password=password,
        )
        return f"added {user.name}, {user.role}"


def _list(_arguments: argparse.Namespace, services: Services) -> str:
    from service.store.tables import User

    with services.database.read() as session:
        rows = [
            (user.name, user.role, "active" if user.is_active else "deactivated", _groups_of(user.groups))
            for user in session.query(User).order_by(User.name)
        ]
    if not rows:
        return "no users yet; add one with: spinescribe user add NAME --role administrator"
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ("  ".join([*(row[i].ljust(widths[i]) for i in range(3)), row[3]]).rstrip() for row in rows)
    return "\n".join(lines)


def _password(arguments: argparse.Namespace, services: Services) -> str:
    from service.accounts.users import UserChange

    name = _change(arguments, services, UserChange(password=_ask(arguments)))
    return f"new password of {name}; all sign-ins have ended"


def _deactivate(arguments: argparse.Namespace, services: Services) -> str:
    from service.accounts.users import UserChange

    return f"{_change(arguments, services, UserChange(is_active=False))} can sign in no more"


def _activate(arguments: argparse.Namespace, services: Services) -> str:
    from service.accounts.users import UserChange

    return f"{_change(arguments, services, UserChange(is_active=True))} can sign in again"


def _link(arguments: argparse.Namespace, services: Services) -> str:
    from service.accounts.users import UserChange

    name = _change(arguments, services, UserChange(oidc_subject=arguments.subject))
    return f"{name} is linked" if arguments.subject else f"{name} is linked no more"


def _groups(arguments: argparse.Namespace, services: Services) -> str:
    from service.accounts.groups import add_group, find_group
    from service.accounts.users import UserChange, change_user, find_user

    with services.database.begin() as session:
        user = find_user(session, arguments.name)
        for name in arguments.groups:
            if find_group(session, name) is None:
                faults.say(f"new group {add_group(session, _ACTOR, name).name}")
        found = [find_group(session, name) for name in arguments.groups]
        ids = [group.id for group in found if group is not None]
        user = change_user(session, _ACTOR, user.id, UserChange(group_ids=ids))
        return f"groups of {user.name}: {_groups_of(user.groups)}"


def _change(arguments: argparse.Namespace, services: Services, change: UserChange) -> str:
    """Change a user; return the name."""
    from service.accounts.users import change_user, find_user

    with services.database.begin() as session:
        return change_user(session, _ACTOR, find_user(session, arguments.name).id, change).name


def _groups_of(groups: list[Group]) -> str:
    return ", ".join(sorted(group.name for group in groups)) or "no groups"


def _ask(arguments: argparse.Namespace) -> str:
    """Return a new password: of standard input, or asked for twice at a terminal.

    Raises:
        ConfigError: If there is no terminal, nothing was given, or the two differ.
    """
    if arguments.password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = getpass.getpass(f"New password of {arguments.name}: ")
        if password != getpass.getpass("Once more: "):
            raise ConfigError("the two passwords differ; nothing was changed")
    else:
        raise ConfigError("expected a terminal to ask for the password at, or --password-stdin")
    if not password:
        raise ConfigError("expected a password, got none")
    return password
