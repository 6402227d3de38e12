"""The sockets between master and workers, over real TCP, in processes of their own: importing Locust patches the
process."""

from __future__ import annotations

from in_locust import run_with_locust

_BEGIN = """
import locust, gevent, os, socket, sys
from contextlib import suppress
import msgpack, msgspec, zmq.green as zmq
from locust.rpc import Message
from stt_load.locust_plugin.cluster.admission import Admission
from stt_load.locust_plugin.cluster.sockets import Keys, MasterSocket, WorkerSocket
from stt_load.locust_plugin.cluster.joining import Joining
from stt_load.run.loaded_clips import LoadedClips
from stt_load.run.terms import Program, this_program

gevent.Timeout(50).start()

def master(token="the token of this cluster", program=None, is_open=True):
    listener = socket.create_server(("127.0.0.1", 0))
    admission = Admission(program or this_program())
    if is_open:
        admission.open(None)
    made = MasterSocket("127.0.0.1", listener.getsockname()[1], Keys(token), admission, listener)
    made.admission = admission
    made.heard = []
    def hear():
        while True:
            sender, message = made.recv_from_client()
            made.heard.append((sender, message.type, message.data))
    gevent.spawn(hear)
    return made

def worker(port, name="w0", token="the token of this cluster"):
    return WorkerSocket("127.0.0.1", port, name, Keys(token), Joining(LoadedClips()))

def wait_for(condition):
    while not condition():
        gevent.sleep(0.01)

def stranger(port, name=b"evil", keys=None):
    made = zmq.Context().socket(zmq.DEALER)
    made.setsockopt(zmq.IDENTITY, name)
    if keys is not None:
        keys.lock_worker(made)
    made.connect(f"tcp://127.0.0.1:{port}")
    return made
"""


def test_a_worker_with_the_token_is_heard_and_hears() -> None:
    program = """
the_master = master()
one = worker(the_master.port)
one.send(Message("client_ready", "2.47.0", "w0"))
wait_for(lambda: the_master.heard)
the_master.send_to_client(Message("spawn", {"n": 2}, "w0"))
message = one.recv()
print(the_master.heard, message.type, message.data)
"""
    assert run_with_locust(_BEGIN + program) == "[('w0', 'client_ready', '2.47.0')] spawn {'n': 2}\n"


def test_nothing_that_a_stranger_sends_reaches_locust() -> None:
    """Without encryption, with another token, as plain TCP, or with half a handshake that is never ended: bytes of all
    kinds, and messages of every name."""
    program = """
the_master = master()
names = ("client_ready", "stats", "quit", "heartbeat", "spawning", "logs", "exception", "stt_drained", "stt_join")
sent = [b"", b"\\xff" * 100, os.urandom(5_000), b"\\xc1", msgpack.dumps({"a": 1}), msgpack.dumps([1, 2])]
sent += [msgpack.dumps((name, data, "evil")) for name in names for data in (None, {}, 5, {"stt": {}})]
sent += [msgpack.dumps(("stt_join", msgspec.to_builtins(this_program()), "evil"))]  # as a worker does
strangers = [stranger(the_master.port), stranger(the_master.port, keys=Keys("another token, as long"))]
for each in strangers:
    for content in sent:
        with suppress(zmq.Again):  # it was turned away before it could send more
            each.send(content, zmq.NOBLOCK)
plain = socket.create_connection(("127.0.0.1", the_master.port))
with suppress(OSError):  # the master hangs up
    plain.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n" * 100)
greeting = b"\\xff" + bytes(8) + b"\\x01\\x7f\\x03\\x01CURVE" + bytes(15) + bytes(32)  # RFC 23 of ZeroMQ
half_open = [socket.create_connection(("127.0.0.1", the_master.port)) for _ in range(100)]
for each in half_open[::2]:
    each.sendall(greeting)  # and nothing more
one = worker(the_master.port)  # it comes after all of them
one.send(Message("stats", {}, "w0"))
wait_for(lambda: the_master.heard)
print(the_master.heard, [each.poll(0) for each in strangers])
"""
    assert run_with_locust(_BEGIN + program) == "[('w0', 'stats', {})] [0, 0]\n"


def test_who_has_the_token_is_heard_once_it_was_admitted_and_under_its_own_name() -> None:
    """A byte that can't be read costs itself and no other: Locust's own listener would end."""
    program = """
the_master = master()
keys = Keys("the token of this cluster")
for content in (b"\\xc1", b"", msgpack.dumps("x"), msgpack.dumps(("stats", {}, "uninvited"))):
    uninvited = stranger(the_master.port, b"uninvited", keys)
    uninvited.send(content)
    uninvited.close(linger=1_000)
one = worker(the_master.port)
one.socket.send(b"\\xc1")
one.socket.send(msgpack.dumps(("stats", {}, "another")))
one.socket.send(msgpack.dumps(("stats", {}, "w0")))
wait_for(lambda: the_master.heard)
print(the_master.heard)
"""
    assert run_with_locust(_BEGIN + program) == "[('w0', 'stats', {})]\n"


def test_a_worker_of_another_version_ends_with_2_and_says_why() -> None:
    program = """
the_master = master(program=Program("9.9", "other code"))
try:
    worker(the_master.port)
except SystemExit as ended:
    print(ended.code, the_master.admission.refused)
"""
    program = program.replace("try:", "sys.stderr = sys.stdout\ntry:")
    said = run_with_locust(_BEGIN + program).splitlines()
    assert said[-1] == "2 ['w0']"
    assert said[-2].startswith("error: the master refuses this worker: it runs stt-load ")


def test_a_worker_with_another_token_ends_with_2_and_says_what_to_do() -> None:
    program = """
the_master = master()
sys.stderr = sys.stdout
try:
    worker(the_master.port, token="another token, as long")
except SystemExit as ended:
    print(ended.code, the_master.heard)
"""
    said = run_with_locust(_BEGIN + program).splitlines()
    assert said[-1] == "2 []"
    assert "STT_LOAD_CLUSTER_TOKEN" in said[-2]


def test_a_worker_waits_for_a_master_that_comes_later_or_has_nothing_to_say_yet() -> None:
    program = """
listener = socket.socket()
listener.bind(("127.0.0.1", 0))  # nobody listens yet
port = listener.getsockname()[1]
sockets._TOLD_AFTER_S = 0.01
sockets.log.warning = lambda text, *values: print((text % values).partition(":")[0].replace(" ", "-"))
joining = gevent.spawn(worker, port)
gevent.sleep(0.2)
listener.listen()
admission = Admission(this_program())
the_master = MasterSocket("127.0.0.1", port, Keys("the token of this cluster"), admission, listener)
heard = gevent.spawn(the_master.recv_from_client)
gevent.sleep(0.2)
print(joining.ready())
admission.open(None)
joining.get().send(Message("stats", {}, "w0"))
print(heard.get()[0])
"""
    said = run_with_locust("from stt_load.locust_plugin.cluster import sockets\n" + _BEGIN + program).split()
    assert said == ["no-master-answers-at-127.0.0.1", "False", "w0"]


def test_a_worker_waits_for_a_master_behind_a_tunnel_that_hangs_up_until_there_is_one() -> None:
    """An SSH tunnel accepts, finds nobody, and closes."""
    program = """
listener = socket.create_server(("127.0.0.1", 0))
port, n_closed = listener.getsockname()[1], 0
def hang_up():
    global n_closed
    while True:
        listener.accept()[0].close()
        n_closed += 1
tunnel = gevent.spawn(hang_up)
joining = gevent.spawn(worker, port)
wait_for(lambda: n_closed > 2 * sockets._FAILED_HANDSHAKES)
tunnel.kill()
admission = Admission(this_program())
admission.open(None)
the_master = MasterSocket("127.0.0.1", port, Keys("the token of this cluster"), admission, listener)
heard = gevent.spawn(the_master.recv_from_client)
joining.get().send(Message("stats", {}, "w0"))
print(heard.get()[0])
"""
    assert run_with_locust("from stt_load.locust_plugin.cluster import sockets\n" + _BEGIN + program) == "w0\n"


# How a cluster is set up --------------------------------------------------------------------------------------------

_SET_UP = """
import locust, os, socket, sys
from locust.argument_parser import get_parser
from locust.rpc import zmqrpc
from stt_load.locust_plugin.hooks import install
install()
"""


def test_locust_listens_on_this_machine_alone_unless_it_is_told() -> None:
    program = """
quiet = get_parser().parse_args([])
loud = get_parser().parse_args(["--web-host", "*", "--master-bind-host", "10.0.0.5"])
print(quiet.web_host, quiet.master_bind_host, loud.web_host, loud.master_bind_host)
"""
    assert run_with_locust(_SET_UP + program) == "127.0.0.1 127.0.0.1 * 10.0.0.5\n"


def test_processes_have_a_port_of_their_own_which_listens_before_they_fork() -> None:
    program = """
options = get_parser().parse_args(["--processes", "2", "--headless"])
assert options.master_bind_port == options.master_port != 5557
assert options.master_bind_host == options.master_host == "127.0.0.1"
try:
    socket.create_server(("127.0.0.1", options.master_port))
except OSError:
    print("taken")
print(zmqrpc.Server(options.master_bind_host, options.master_bind_port).port == options.master_port)
"""
    assert run_with_locust(_SET_UP + program).split() == ["taken", "True"]


def test_how_many_processes_there_are_to_be_and_what_is_refused() -> None:
    """auto is one per core but one, and one process needs no master."""
    program = """
from stt_load.calibration import host_probe
from stt_load.errors import ConfigError
from stt_load.locust_plugin.cluster.admission import Admission
from stt_load.locust_plugin.cluster.set_up import set_up_cluster
from stt_load.run.loaded_clips import LoadedClips
os.sched_getaffinity = lambda _: {0, 1, 2, 3}
host_probe.container_cpu_limit = lambda *_: None
parser = get_parser()
parser.parse_args([])
for words in ("--processes 1", "--processes auto", "--master --processes 2", "--master --master-bind-host 8.8.8.8",
    "--processes 2 --master-bind-host 8.8.8.8 --master-bind-port 6000", "--processes 2 --master-bind-port 6000",
    "--master --worker"):
    options = parser.parse_args(["--headless", *words.split()])
    try:
        set_up_cluster(options, Admission(), LoadedClips())
        print(options.processes)
    except ConfigError as error:
        print(*error.lines)
"""
    one, auto, two_roles, public, open_group, other_port, both = run_with_locust(_SET_UP + program).splitlines()
    assert (one, auto) == ("None", "3")
    assert two_roles.startswith("--processes: it starts a master and its workers")
    assert public.startswith("--master-bind-host 8.8.8.8: strangers can reach port 5557 at 8.8.8.8")
    assert both == "--master, --worker: a process is one of the two: leave one out"
    assert open_group == other_port, "neither opens a door to strangers, nor leaves its workers in front of another one"
    assert other_port.startswith("--processes: its workers are of this machine, and it has a port of its own for them")


def test_a_master_whose_port_is_taken_ends_with_2_and_one_line() -> None:
    program = """
with socket.create_server(("127.0.0.1", 0)) as taken:
    sys.stderr = sys.stdout
    try:
        get_parser().parse_args(["--master", "--master-bind-port", str(taken.getsockname()[1])])
    except SystemExit as ended:
        print(ended.code)
"""
    said = run_with_locust(_SET_UP + program).splitlines()
    assert said[0].startswith("error: --master-bind-port: can't listen on 127.0.0.1:")
    assert said[1:] == ["2"]


def test_a_worker_of_a_master_elsewhere_needs_a_token_and_the_web_uis_parsers_change_nothing() -> None:
    program = """
sys.stderr = sys.stdout
server = zmqrpc.Server
os.environ["STT_LOAD_DATA"] = "/nowhere"
try:
    get_parser().parse_args(["--worker", "--master-host", "10.0.0.5"])
except SystemExit as ended:
    print(ended.code)
get_parser().parse_args(["--worker", "--master-host", "10.0.0.5"])
print(zmqrpc.Server is server)
"""
    said = run_with_locust(_SET_UP + program).splitlines()
    assert said == ["error: STT_LOAD_CLUSTER_TOKEN is not set: a worker needs the token of its master", "2", "True"]
