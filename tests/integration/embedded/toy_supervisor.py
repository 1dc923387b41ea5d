"""The real supervisor on the real services, with a toy in the product's place.

python toy_supervisor.py PORT [--part-that-dies] [--step-that-hangs] [--step-that-fails]
"""

from __future__ import annotations

import sys
from pathlib import Path

from zhixin.embedded.errors import EmbeddedError
from zhixin.embedded.product import Part, Product, Step
from zhixin.embedded.supervisor import Supervisor

_WEB = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
# Has a child of its own, and ends on no signal but SIGKILL.
_STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("stubborn and ready")
time.sleep(600)
"""
_MIGRATE = """
import os, psycopg2
connection = psycopg2.connect(os.environ["DATABASE_URL"])
with connection, connection.cursor() as cursor:
    cursor.execute("CREATE TABLE IF NOT EXISTS starts (number serial)")
    cursor.execute("INSERT INTO starts DEFAULT VALUES")
    cursor.execute("SELECT count(*) FROM starts")
    open(os.environ["ZHIXIN_DATA_DIR"] + "/starts", "w").write(str(cursor.fetchone()[0]))
connection.close()
"""
_SEED = """
import os
with open(os.environ["ZHIXIN_DATA_DIR"] + "/seeds", "a") as file:
    file.write("seeded ")
"""
_HANG = "import time; time.sleep(600)"
_FAIL = "import sys; print('the table is in the way'); sys.exit(3)"
_DIE = "import sys, time; print('out of ink'); time.sleep(0.5); sys.exit(7)"


def make_toy(*, url: str, bind: str, data_dir: Path) -> Product:
    """Return the toy; its ways to go wrong are chosen on the command line."""
    steps = [Step("Migrating", ["-c", _MIGRATE]), Step("Seeding", ["-c", _SEED], once=True)]
    parts = [Part("web", ["-c", _WEB, bind.split(":")[1]])]
    if "--step-that-hangs" in sys.argv:
        steps.append(Step("Hanging", ["-c", _HANG]))
    if "--step-that-fails" in sys.argv:
        steps.append(Step("Failing", ["-c", _FAIL]))
    if "--part-that-dies" in sys.argv:
        parts.append(Part("worker", ["-c", _DIE]))
    if "--part-that-is-stubborn" in sys.argv:
        parts.append(Part("worker", ["-c", _STUBBORN]))
    return Product(
        outside=[], steps=steps, parts=parts, environment={"BANK_GATEWAY_URL": f"{url}/gateway.do"}
    )


if __name__ == "__main__":
    try:
        code = Supervisor(host="127.0.0.1", port=int(sys.argv[1]), make_product=make_toy).run()
    except EmbeddedError as error:
        sys.exit(str(error))
    sys.exit(code)
