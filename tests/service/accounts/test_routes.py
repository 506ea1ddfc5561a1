"""The routes of sign-in, users and groups, by a browser at the secured application."""

from collections.abc import Callable

import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient

from service.accounts import passwords
from service.services import Services
from service.store.tables import AuditEntry, Group, LoginSession, Study, User
from service.store.words import Role
from tests.service.accounts.conftest import PASSWORD, log_in

Browser = Callable[[], TestClient]
Person = Callable[..., User]
NEW = "another long phrase"


@pytest.fixture
def admin(person: Person, browser: Browser) -> TestClient:
    person("root", Role.ADMINISTRATOR)
    return log_in(browser(), "root")


def lines_of(services: Services, action: str) -> list[AuditEntry]:
    with services.database.read() as session:
        return session.query(AuditEntry).filter_by(action=action).order_by(AuditEntry.seq).all()


class TestSession:
    def test_in_and_out(self, services: Services, person: Person, browser: Browser) -> None:
        user = person("jo")
        client = browser()
        assert client.get("/api/v1/session").status_code == 401
        answer = client.post("/api/v1/session", json={"name": " JO ", "password": PASSWORD})
        assert answer.status_code == 200
        body = answer.json()
        assert body["user"] == {
            "id": user.id, "name": "jo", "display_name": "jo", "role": "radiologist", "groups": [],
            "preferences": {}, "has_password": True,
        }  # fmt: skip
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("spinescribe=")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")
        assert client.get("/api/v1/session").json() == body
        assert client.delete("/api/v1/session", headers={"X-CSRF-Token": body["csrf_token"]}).status_code == 204
        assert client.get("/api/v1/session").status_code == 401
        assert [line.actor for line in lines_of(services, "session.login")] == ["jo"]
        assert [line.actor for line in lines_of(services, "session.logout")] == ["jo"]

    def test_the_token_does_not_outlive_the_sign_out(self, person: Person, browser: Browser) -> None:
        person("jo")
        client = log_in(browser(), "jo")
        token = client.cookies["spinescribe"]
        client.delete("/api/v1/session")
        thief = browser()
        thief.cookies.set("spinescribe", token)
        assert thief.get("/api/v1/session").status_code == 401

    def test_a_planted_token_is_not_taken_over(self, person: Person, browser: Browser) -> None:
        person("jo")
        client = browser()
        client.cookies.set("spinescribe", "planted-by-someone-else", domain="testserver.local", path="/")
        answer = client.post("/api/v1/session", json={"name": "jo", "password": PASSWORD})
        assert "planted" not in answer.headers["set-cookie"]

    def test_signing_in_again_ends_the_sign_in_before(
        self, services: Services, person: Person, browser: Browser
    ) -> None:
        person("jo")
        client = log_in(browser(), "jo")
        log_in(client, "jo")
        with services.database.read() as session:
            assert session.query(LoginSession).count() == 1

    def test_old_hashes_are_made_anew_at_the_next_sign_in(
        self, services: Services, person: Person, browser: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = person("jo").password_hash
        monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=2, memory_cost=2048))
        log_in(browser(), "jo")
        with services.database.read() as session:
            after = session.query(User).one().password_hash
        assert after != before
        assert "m=2048,t=2" in str(after)
        log_in(browser(), "jo")

    def test_a_new_password_ends_the_other_sign_ins(
        self, services: Services, person: Person, browser: Browser
    ) -> None:
        person("jo")
        here, there = log_in(browser(), "jo"), log_in(browser(), "jo")
        answer = here.post("/api/v1/session/password", json={"current": PASSWORD, "new": NEW})
        assert answer.status_code == 204
        assert here.get("/api/v1/session").status_code == 200
        assert there.get("/api/v1/session").status_code == 401
        assert browser().post("/api/v1/session", json={"name": "jo", "password": PASSWORD}).status_code == 401
        log_in(browser(), "jo", NEW)
        assert len(lines_of(services, "user.password")) == 1

    @pytest.mark.parametrize(
        ("current", "new", "status", "code"),
        [
            ("wrong", NEW, 403, "wrong_password"),
            (PASSWORD, "short", 422, "weak_password"),
            (PASSWORD, PASSWORD, 409, "same_password"),
        ],
    )
    def test_a_password_is_not_changed_lightly(
        self, person: Person, browser: Browser, current: str, new: str, status: int, code: str
    ) -> None:
        person("jo")
        client = log_in(browser(), "jo")
        answer = client.post("/api/v1/session/password", json={"current": current, "new": new})
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        log_in(browser(), "jo")

    def test_preferences_are_merged_and_forgotten(self, person: Person, browser: Browser) -> None:
        person("jo")
        client = log_in(browser(), "jo")
        client.patch("/api/v1/session/preferences", json={"theme": "dark", "hide": True})
        answer = client.patch("/api/v1/session/preferences", json={"theme": None, "size": 12})
        assert answer.json()["user"]["preferences"] == {"hide": True, "size": 12}
        many = {f"key{index}": 1 for index in range(60)}
        assert client.patch("/api/v1/session/preferences", json=many).status_code == 422
        deep = {"nested": {"a": 1}}
        assert client.patch("/api/v1/session/preferences", json=deep).status_code == 422

    @pytest.mark.parametrize(
        "body",
        [{}, {"name": "jo"}, {"name": "jo", "password": 1}, {"name": "jo", "password": "x", "more": 1}, []],
    )
    def test_malformed_sign_ins_are_answered_without_repeating_them(self, browser: Browser, body: object) -> None:
        answer = browser().post("/api/v1/session", json=body)
        assert answer.status_code == 422
        assert set(answer.json()) == {"error"}

    @pytest.mark.parametrize("name", ["\x00", "a" * 120, "' OR 1=1 --", "\ud800", "Ünïcode"])
    def test_odd_names_are_merely_wrong(self, browser: Browser, name: str) -> None:
        import json

        answer = browser().post(
            "/api/v1/session",
            content=json.dumps({"name": name, "password": "x"}),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code in (401, 422), answer.text


class TestUsers:
    def test_an_administrator_adds_and_changes(
        self, services: Services, admin: TestClient, browser: Browser
    ) -> None:
        group = admin.post("/api/v1/groups", json={"name": " Neuro  A "}).json()
        assert group["name"] == "Neuro A"
        body = {"name": "Jo", "role": "radiologist", "password": PASSWORD, "groups": [group["id"]]}
        answer = admin.post("/api/v1/users", json=body)
        assert answer.status_code == 201, answer.text
        user = answer.json()
        assert (user["name"], user["groups"]) == ("jo", [{"id": group["id"], "name": "Neuro A"}])
        assert "password" not in user
        assert [row["name"] for row in admin.get("/api/v1/users").json()] == ["jo", "root"]
        assert admin.get("/api/v1/groups").json() == [{**group, "members": 1}]
        jo = log_in(browser(), "jo")
        changed = admin.patch(
            f"/api/v1/users/{user['id']}", json={"role": "researcher", "display_name": "Dr Jo", "groups": []}
        ).json()
        assert (changed["role"], changed["display_name"], changed["groups"]) == ("researcher", "Dr Jo", [])
        assert jo.get("/api/v1/session").json()["user"]["role"] == "researcher"
        [line] = lines_of(services, "user.change")
        assert (line.actor, line.subject) == ("root", f"user:{user['id']}")
        assert line.details == {"role": ["radiologist", "researcher"], "display_name": "changed", "groups": []}

    def test_reset_and_deactivation_end_the_sign_ins(
        self, services: Services, admin: TestClient, person: Person, browser: Browser
    ) -> None:
        user = person("jo")
        jo = log_in(browser(), "jo")
        assert admin.patch(f"/api/v1/users/{user.id}", json={"password": NEW}).status_code == 200
        assert jo.get("/api/v1/session").status_code == 401
        jo = log_in(browser(), "jo", NEW)
        assert admin.patch(f"/api/v1/users/{user.id}", json={"is_active": False}).status_code == 200
        assert jo.get("/api/v1/session").status_code == 401
        assert jo.post("/api/v1/session", json={"name": "jo", "password": NEW}).status_code == 401
        assert NEW not in repr([line.details for line in lines_of(services, "user.change")])

    @pytest.mark.parametrize("body", [{"is_active": False}, {"role": "radiologist"}])
    def test_the_last_administrator_stays(
        self, services: Services, admin: TestClient, person: Person, body: dict[str, object]
    ) -> None:
        root = next(row for row in admin.get("/api/v1/users").json() if row["name"] == "root")
        answer = admin.patch(f"/api/v1/users/{root['id']}", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "last_admin")
        gone = person("gone", Role.ADMINISTRATOR)
        with services.database.begin() as session:
            session.get_one(User, gone.id).is_active = False
        assert admin.patch(f"/api/v1/users/{root['id']}", json=body).status_code == 409
        person("second", Role.ADMINISTRATOR)
        assert admin.patch(f"/api/v1/users/{root['id']}", json=body).status_code == 200

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({"name": "root", "role": "radiologist"}, 409),
            ({"name": "ROOT", "role": "radiologist"}, 409),
            ({"name": "a b", "role": "radiologist"}, 422),
            ({"name": "<script>", "role": "radiologist"}, 422),
            ({"name": "jo", "role": "owner"}, 422),
            ({"name": "jo", "role": "radiologist", "password": "short"}, 422),
            ({"name": "jo", "role": "radiologist", "groups": ["none"]}, 404),
            ({"name": "jo", "role": "radiologist", "display_name": "a\u0000b"}, 422),
            ({"name": "jo", "role": "radiologist", "is_active": True}, 422),
        ],
    )
    def test_bad_users_are_refused(self, admin: TestClient, body: dict[str, object], status: int) -> None:
        assert admin.post("/api/v1/users", json=body).status_code == status
        assert len(admin.get("/api/v1/users").json()) == 1

    def test_a_deleted_group_leaves_its_studies_to_their_owners(
        self, services: Services, admin: TestClient, person: Person
    ) -> None:
        group_id = admin.post("/api/v1/groups", json={"name": "Neuro"}).json()["id"]
        owner = person("jo")
        with services.database.begin() as session:
            session.get_one(User, owner.id).groups = [session.get_one(Group, group_id)]
            session.add(Study(owner_id=owner.id, group_id=group_id, upload_sha256="0" * 64))
        assert admin.delete(f"/api/v1/groups/{group_id}").status_code == 204
        assert admin.delete(f"/api/v1/groups/{group_id}").status_code == 404
        with services.database.read() as session:
            assert session.query(Study).one().group_id is None
            assert session.get_one(User, owner.id).groups == []
        assert lines_of(services, "group.delete")[0].details == {"name": "Neuro", "studies": 1}

    def test_two_groups_of_one_name_are_refused(self, admin: TestClient) -> None:
        assert admin.post("/api/v1/groups", json={"name": "Neuro"}).status_code == 201
        assert admin.post("/api/v1/groups", json={"name": " Neuro "}).status_code == 409
        assert admin.post("/api/v1/groups", json={"name": "  "}).status_code == 422

    @pytest.mark.parametrize("role", [Role.RADIOLOGIST, Role.RESEARCHER])
    def test_others_may_not(self, person: Person, browser: Browser, role: Role) -> None:
        person("jo", role)
        client = log_in(browser(), "jo")
        assert client.get("/api/v1/users").status_code == 403
        assert client.post("/api/v1/users", json={"name": "al", "role": "administrator"}).status_code == 403
