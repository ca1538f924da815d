"""Stands for docker, kind and kubectl on a PATH: writes down how it was called and answers like a small cluster.

State and calls are files in the directory of FAKE_CLUSTER. `scene.json` there says what goes wrong.
"""

import json
import os
import re
import sys
import time
from pathlib import Path

HERE = Path(os.environ["FAKE_CLUSTER"])
EVENTS = 3
VERSION = "0.1.0"


def scene() -> dict[str, object]:
    path = HERE / "scene.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def remembered(name: str, default: str) -> str:
    path = HERE / name
    return path.read_text() if path.exists() else default


def again(name: str, times: int) -> bool:
    """Whether this was asked so many times."""
    asked = int(remembered(f"asked {name}", "0")) + 1
    (HERE / f"asked {name}").write_text(str(asked))
    return asked >= times


def kind(words: list[str]) -> str:
    match words:
        case ["get", "clusters"]:
            return remembered("cluster", "")
        case ["create", "cluster", *_]:
            (HERE / "cluster").write_text("podmates-demo")
            if scene().get("half a cluster"):
                sys.exit("ERROR: failed to create cluster")
        case ["delete", "cluster", *_]:
            (HERE / "cluster").unlink(missing_ok=True)
        case ["export", *_] if scene().get("no use"):
            sys.exit("ERROR: could not find /etc/kubernetes/admin.conf")
    return ""


def ledger() -> str:
    lines = []
    for number in range(EVENTS):
        facts = {"http.request.method": "GET", "url.path": f"/orders/{number}", "http.response.status_code": 200}
        lines.append({"event": f"evt-aa-access-{number:06d}", "kind": "access", "last_line": "", "facts": facts})
    return "".join(json.dumps(line) + "\n" for line in lines)


def records(query: str) -> str:
    if '"app":="report"' in query:
        numbers = range(int(str(scene().get("rows", 1000))))
        return "".join(json.dumps({"_msg": f"row {number}", "_time": "t"}) + "\n" for number in numbers)
    lines = []
    for number in range(EVENTS - int(bool(scene().get("loses")))):
        path = {"attributes.http.request.method": "GET", "attributes.url.path": f"/orders/{number}"}
        status = {"attributes.http.response.status_code": "200", "_stream": "{}"}
        lines.append(json.dumps({"_time": "t", "_msg": f"evt-aa-access-{number:06d}", **path, **status}) + "\n")
    return "".join(lines) + (lines[0] if scene().get("repeats") else "")


def desk(command: str, *arguments: str) -> str:
    match command:
        case "begin":
            (HERE / "finish").unlink(missing_ok=True)
        case "load":
            while not (HERE / "finish").exists():
                time.sleep(0.02)
        case "finish":
            (HERE / "finish").touch()
        case "ask":
            return json.dumps({"id": 1, "environment": scene().get("stuck in", remembered("environment", "dev"))})
        case "note":
            (HERE / arguments[0]).write_text("1")
        case "totals":
            noted = {name: int(remembered(name, "0")) for name in ("outages", "restarts")}
            lost = int(str(scene().get("unanswered", 0)))
            return json.dumps({"made": EVENTS + lost, "failed": lost, "unanswered": lost, **noted})
        case "stats":
            if not again("stats", int(str(scene().get("reached after", 1)))):
                sys.exit("desk: ClientConnectorError: refused")
            return json.dumps({"queries": EVENTS, "queries_failed": 0, "sessions_replaced": 0})
        case "records":
            return records(arguments[0])
    return ""


def kubectl(words: list[str]) -> str:
    match words:
        case ["version", *_]:
            return json.dumps({"serverVersion": {"major": "1", "minor": str(scene().get("minor", "33+"))}})
        case ["get", "serviceaccount", *_]:
            return "serviceaccount/default" if again("account", int(str(scene().get("account after", 1)))) else ""
        case ["get", "pods", "--output=name", *_]:
            return ""
        case ["get", "storageclass", *_]:
            marks = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
            return json.dumps({"items": [{"metadata": marks}] if scene().get("storage", True) else []})
        case ["kustomize", folder]:
            return f"# {folder}\nimage: podmates/demo-app:{VERSION}\n"
        case ["apply", *_]:
            with (HERE / "applied").open("a") as applied:
                applied.write(sys.stdin.read() + "\n")
        case ["get", "deployment", "webapp", "--output=jsonpath={..image}"]:
            images = re.findall("image: (.*)", remembered("applied", ""))
            return " ".join([*images, "registry.example/else/webapp:1"])
        case ["exec", "desk", "--", "python3", "-m", "podmates.desk", *command]:
            return desk(*command)
        case ["exec", _, _, "ambassador", "--", *switch]:
            (HERE / "environment").write_text(switch[-1])
            return f"orders: {switch[-1]}"
        case ["exec", _, _, "app", "--", *_]:
            return ledger()
        case ["rollout", "status", deployment, *_] if deployment == scene().get("never ready"):
            print("error: timed out waiting for the condition", file=sys.stderr)
            sys.exit(1)
        case ["get", "events", *_]:
            return 'Warning FailedMount secret "dbproxy" not found'
        case ["get", "pods", "--output=json"]:
            ready = {"type": "Ready", "status": "False"}
            return json.dumps({"items": [{"metadata": {"name": "webapp-1"}, "status": {"conditions": [ready]}}]})
        case ["logs", pod, *_]:
            return f"{pod}: settings_refused"
        case ["get", "pods", jsonpath, *_]:
            return "containerd://0123456789abcdef" if "containerID" in jsonpath else "webapp-1"
    return ""


def main() -> None:
    program, words = Path(sys.argv[0]).name, sys.argv[1:]
    with (HERE / "calls.jsonl").open("a") as calls:
        told = {
            "KUBECONFIG": os.environ.get("KUBECONFIG", ""),
            "provider": os.environ.get("KIND_EXPERIMENTAL_PROVIDER"),
        }
        calls.write(json.dumps({"program": program, "words": words, **told}) + "\n")
    if program in scene().get("broken", []):  # type: ignore[operator]
        print(f"{program} does not work today", file=sys.stderr)
        sys.exit(1)
    if program == "kubectl":
        assert words[:2] == ["--namespace", "podmates-demo"], words
        print(kubectl(words[2:]))
    elif program == "kind":
        print(kind(words))
    elif words[:2] == ["image", "inspect"]:
        if words[-1] in scene().get("no image", []):  # type: ignore[operator]
            sys.exit(1)
        print(f"{'sha256:' if program == 'docker' else ''}{scene().get('content', '0123456789abcdef')}")


main()
