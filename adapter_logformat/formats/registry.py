"""Which formats there are and where they live: enough to guess from a line without importing any family.

A family's `probe` is a necessary condition: a line that it rejects is none of that family's. Families load
when first asked.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from itertools import chain

from adapter_logformat.grammar import Format


@dataclass(frozen=True, slots=True)
class Family:
    """`names`: what `log.format` (and the setting `format`) may say. `probe` searches a line from its beginning."""

    module: str
    names: tuple[str, ...]
    probe: str


_ISO = r"\d{4}[-/]\d\d[-/]\d\d[T ]\S{8,24}(?: [A-Z+\-]\S{0,5})?"
"""Date and time with an optional zone, a little wider than the grammar's."""

FAMILIES = (
    Family("container", ("cri", "docker_json"), r'\d{4}-\d\d-\d\dT\S{1,300} std(?:out|err) |\{"log":'),
    Family("json_app", ("json", "pino", "bunyan", "winston", "zap", "logrus", "slog", "zerolog", "structlog",
                        "python_json", "logstash", "caddy", "traefik_json", "mongodb", "postgres_json", "gelf", "clef",
                        "log4j2_json", "journald", "dotnet_json", "serilog_json", "zap_json", "nextcloud_json",
                        "monolog_json", "nest_json", "elasticsearch_json", "jboss_json", "liberty_json", "tracing_json",
                        "loguru_json", "google_cloud", "log4js_json", "echo_json", "nginx_json", "log4rs_json"),
           r"\s*+\{"),
    Family("access", ("combined", "vhost_combined", "common", "vhost_common"),
           r'[^"]*+(?:(?<=\] )"|"" \[[^"]{20,40}\] ")'),
    Family("envoy", ("istio", "envoy", "envoy_process"), r'\[\d{4}-[^\]]{1,100}+\](?: "|\[\d)'),
    Family("proxy", ("haproxy_http", "haproxy_tcp", "haproxy_error", "haproxy_process", "ingress_nginx", "traefik"),
           r'\[[A-Z]{4,7}\] |(?:\[[\w.\-]{1,60}\] )?[^ ]{1,300} \[\d\d/[A-Z]|[^"]*+(?<=\] )".*(?: \[|ms\b)|haproxy\['),
    Family("web_error", ("nginx_error", "apache_error", "apache_tls_request"),
           r"\d{4}[-/.]\d\d[-/.]\d\d \S{1,300} \[|\[(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} |\[\d\d/[A-Z]"
           r"|\[\d{4}-[^\]]{12,25}\] \[[\w.\-]*:[a-z]{3,7}[1-8]?\] \[pid"),
    Family("postgres", ("postgres", "postgres_csv", "greenplum_csv"),
           r"(?:< ?)?\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d:\d\d.{0,340}?(?:[A-Z]:  |,|\]:[A-Z]{3,9}: )"),
    Family("database",
           ("mysql_error", "mariadb_error", "redis", "mysql_slow", "mysql_general", "mysql_entrypoint", "mysql_start"),
           r"\d{4}-\d\d-\d\d.{9,45} (?:\[|mysqld_safe )|\d{6} {1,2}\d|\d{1,10}:(?:[MSCX] |signal)|\[\d{1,10}\] \d\d "
           r"|\d\d [A-Z][a-z]{2} \d|# (?:Time|User@Host|Query_time): |\d{4}-\d\d-\d\dT\S{8,40}(?:\t|  )|\t\t {0,12}\d"
           r"|\d{1,18} [A-Z][a-z]{3,6}(?: DB)?\t|\[\d{1,10}:[MSCX]\] |[/A-Z][^,]{1,250}+, Version: "),
    Family("datastores",
           ("clickhouse", "pgbouncer", "couchbase", "sap_hana", "ceph", "ceph_cluster", "redis_monitor", "aerospike",
            "scylla", "db2_diag", "oracle"),
           r"\d{4}[-/.]\d\d[-/.]\d\d[T ]\S{8,32} (?:[A-Z+\-]\S{1,5} )?(?:\[ ?\d{1,10} ?\] [{A-Z]|\d{1,10} [A-Z]"
           r"|[\da-f]{12,16} |[a-z]{3,6}\.)|\[[a-z]\w{0,40}:[a-z]{4,8},\d{4}-|\[\d{1,10}\]\{|\d{9,11}\.\d{6} \["
           r"|[A-Z][a-z]{2} \d\d \d{4} |[A-Z]{4,5} {1,2}\d{4}-\S{5} \S{8,18} \[shard|\d{4}-\d\d-\d\d-\d\d\."
           r"|\d{4}-\d\d-\d\dT[\d:.]{15}[+\-]\d\d:\d\d$|[A-Z][a-z]{2} [A-Z][a-z]{2} [\d :]{16}(?: [+\-]\d\d:\d\d)?$"),
    Family("services",
           ("glusterfs", "supervisord", "squid_cache", "lighttpd_error", "vsftpd", "xferlog", "calico"),
           r"\[\d{4}-[^\]]{10,30}\] [A-Z] \[|\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d"
           r"(?:\| |: \(| kid\d|,\d{3} [A-Z]{4} |\S{0,8} \[[A-Z]{4,7}\]\[)"
           r"|[A-Z][a-z]{2} [A-Z][a-z]{2} [\d ]\d \d\d:\d\d:\d\d \d{4} (?:\[pid|\d)"),
    Family("cloud", ("aws_alb", "aws_nlb", "aws_elb", "aws_s3"),
           r"(?:[a-z0-9]{1,70}|tls \d\.\d) \d{4}-\d\d-\d\dT|\d{4}-\d\d-\d\dT\S{1,300}Z \S{1,300} \S{1,300}:\d"
           r"|\S{1,300} \S{1,300} \[\d"),
    Family("columns", ("zeek", "aws_vpc"),
           r"#[a-z]|\d{9,11}\.\d{1,9}\t"
           r"|[a-z\d](?:[^A-Z]{20,400}+(?:ACCEPT|REJECT|NODATA|SKIPDATA|OK)|[a-z\- ]{20,600}+\Z)"),
    Family("w3c", ("w3c",), r"#[A-Z]|\d{4}-\d\d-\d\d[ \t]"),
    Family("infrastructure", ("openstack", "windows_cbs"),
           r"\[\d\d-|\d\d-\d\d |\d{4}-\d\d-\d\d|[\w.\-]{1,100}\.log"),
    Family("security", ("cef", "leef", "auditd"), r"[CL]E?EF:|(?:node=\S{1,255} )?type="),
    Family("firewalls", ("firewall_pairs", "snort"),
           r"\d\d/\d\d[/\-]\d|(?:[a-z_]{2,30}=(?:\"[^\"]{0,80}\"|[^\s\"]{0,80}) ){0,8}?date="),
    Family("hypervisors", ("vmware",), r"\d{4}-\d\d-\d\dT\S{1,40} (?:[a-z]{4,7} |[A-Z][a-z]\(|cpu\d)"),
    Family("brokers", ("rabbitmq", "activemq", "nats", "ibm_mq"),
           r"\d{4}[-/]\d\d[-/]\d\d[T ].{8,40}? (?:\[[a-z]|\| )|\[\d{1,10}\] \d{4}[-/]|\d\d[./]\d\d[./]\d{4} \d"),
    Family("clusters", ("bluegene", "cluster_events", "cluster_syslog"),
           r"\S{1,300} \d{9,11} \d{4}\.|\d{1,10} [\w.\-\[\]]{1,100} [A-Za-z]"),
    Family("dns", ("bind", "unbound", "coredns"),
           r"\d\d-[A-Z]|\[\d{9,11}\] unbound|(?:\d{4}-\S{8,40} )?\[[A-Z]{4,7}\] (?:plugin/|[\[\d])"),
    Family("daemons",
           ("mongodb_text", "squid", "dmesg", "fail2ban", "samba", "mssql", "multilog"),
           r"\d{4}-\d\d-\d\d[T ]\S{1,40} (?:[+\-]\d\d:?\d\d )?(?:\[\w|[FEWID]\d? |fail2ban|Server|Logon|Backup|spid)"
           r"|[A-Z][a-z]{2} [A-Z].{0,40}\["
           r"|1\d{9}\.\d|\[ {0,5}\d{1,9}\.\d|\[[^\]]{5,40}\] (?:\[|[\w\-]{1,60}\.[A-Z])"
           r"|\[\d{4}[-/.]\d\d[-/.]\d\d \d|@4[\da-f]{23} "),
    Family("php", ("php", "monolog", "symfony_console", "codeigniter", "yii", "laminas"),
           r"\[\d\d-[A-Z]|PHP [A-Z]|\[\d{4}[^\]]{10,40}\] [\w\-]{1,60}\.[A-Z]|\d\d:\d\d:\d\d [A-Z ]{10}\["
           rf"|[A-Z]{{4,9}} - \d|{_ISO} (?:\[[\da-fA-F.:\-]{{1,60}}\]\[|[A-Z]{{3,6}} \([0-7]\))"),
    Family("native", ("logcat", "chromium", "swift_log", "apple", "unreal", "minecraft", "spdlog", "ros",
           "passenger"),
           r"\[[ \d]|[VDIWEFA]/|\[[A-Z]{4,5}\] \[|\[[\w.\-]{1,100}\] \[|\d\d-\d\d \d"
           rf"|{_ISO} (?: {{0,6}}\d{{1,7}}(?: {{1,6}}\d{{1,7}} [VDIWEFA] |-\d)|[VDIWEFA]/"
           r"|[a-z]{4,8} \S{1,200} ?:|[A-Za-z][\w.\- ]{0,100}?\[\d{1,10}:)"),
    Family("node", ("nest", "morgan", "pino_pretty", "n8n", "winston_simple"),
           r"\[[\w \-]{1,60}\] \d|\[\d|[A-Z]{3,8} \S|[a-z]{4,7}: |(?:[\da-fA-F.:]{2,60}"
           rf"|-) \S{{1,200}} [A-Z]|{_ISO} \| "),
    Family("beam", ("elixir", "erlang", "erlang_report", "couchdb", "emqx"),
           rf"\d\d:\d\d:\d\d|=[A-Z]|\[[a-z]|{_ISO} \[[a-z]"),
    Family("operations", ("icinga", "nagios", "bacula", "exim"),
           r"\[\d{9,11}\] [A-Z]|\[\d{4}-[^\]]{5,40}\] [a-z]|\d\d-[A-Z][a-z]{2}|\d{4}-\d\d-\d\d.{9,40} \w{6}-\w{6}"),
    Family("java", ("spring_boot", "logback", "log4j", "kafka", "zookeeper", "spark", "hdfs", "log4j_location",
                    "log4js", "log4j_bars", "log4j_simple", "kafka_config"), r"\[?\d|[A-Z]{4,7}[ -]"),
    Family("java_server",
           ("java_util_logging", "tomcat", "jboss", "elasticsearch", "cassandra", "solr", "storm", "jvm"),
           r"\[?\d|[A-Z][a-z][a-z] \d|[A-Z]{4,7} "),
    Family("java_frameworks", ("spring_traced", "dropwizard", "play", "akka", "thread_and_class", "slf4j_simple"),
           r"[A-Z]{4,7} {1,3}\[\d|\[[^\]]{1,100}\] (?:[A-Z]{4,7} |\[)"
           rf"|{_ISO} {{1,6}}(?:[A-Z]{{4,7}} (?:\d{{1,10}} --- \[[^\]]{{0,100}}\] \[| {{0,2}}\[| [a-z])"
           r"|\[[A-Z]{4,7}\] from )"),
    Family("java_products", ("weblogic", "websphere", "jenkins", "sonarqube", "nexus", "jira", "neo4j",
           "artemis", "karaf", "jetty", "glassfish", "trino"),
           rf"\[\d|#{{0,4}}<[A-Z][a-z]{{2}} |{_ISO}(?:\t|: ?[A-Z]| (?:\[id=|\| |[A-Z]{{4,7}} (?: |\[)"
           r"|[^\[]{1,200}? [A-Z]{4,7} {1,6}(?:\[|\S{1,100} \d{1,6}x)))"
           r"|\d{4}[-/.]\d\d[-/.]\d\d \S{8,20} [A-Z]{4,7} {1,2}[a-z]"),
    Family("consoles", ("rich", "twisted", "python_boxed", "pytest", "log15", "semantic_logger", "timbre", "loguru_cpp",
           "logback_status", "service_wrapper", "node_warning", "asterisk"),
           r"\[(?:\d\d/\d\d/\d\d )?\d\d:\d\d:\d\d\] [A-Z]{4,8} | {11,21}[A-Z]{4,8} |[A-Z]{4,8} {1,8}[A-Za-z_]"
           r"[\w.\-]{0,200}:\w|[A-Z]{4,5} ?\[\d\d-\d\d\||[A-Z]{4,6} {1,4}\| |\(node:\d|\d\d:\d\d:\d\d[.,]\d{3} \|-"
           rf"|\[[^\]]{{15,30}}\] [A-Z]{{3,8}}\[\d|\[?{_ISO}\]? (?:- )?(?:\[?[A-Z]{{4,8}} {{0,8}}\]? {{1,8}}\["
           r"|[TDIWEF] \[\d|\( {0,8}\d|\S{1,255} [A-Z]{4,6} \[)"
           r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{6})?(?:[+\-]\d{4}|Z) \["
           r"|\d\d-\d\d-\d\d \d\d:\d\d:\d\d \S{1,255} [A-Z]{4,6} \["),
    Family("klog", ("klog",), r"[IWEF]\d{4}"),
    Family("golang", ("go_std", "zap_console", "logrus_console", "zerolog_console", "hclog"),
           r"\d{4}[-/]|1\.\d|\d{1,2}:\d\d[AP]M|[A-Z]{4}\["),
    Family("go_servers", ("gin", "gin_debug", "fiber", "chi", "etcd", "gitea", "telegraf", "tidb", "cockroachdb"),
           rf'\[GIN[\]-]|\[\d{{4}}[-/]|[IWEF]\d{{6}} |\d\d:\d\d:\d\d(?:[.,]\d{{1,9}})? \| \d|{_ISO} (?:[A-Z](?:!'
           r'| \|) |\[[^\]]{1,200}\] "|"[A-Z]|\S{1,200}\.go:)'),
    Family("rust", ("rust_env_logger", "rust_tracing", "rust_tracing_pretty", "rust_pretty_env_logger",
           "rust_dashed", "rust_boxed", "rust_simplelog", "rust_slog"),
           r" {0,2}\[?\d{4}[-/]\d\d[-/]\d\d(?:T|\]\[|.{10,180}?(?:::|> ))|  \d{4}| ?\[?(?:TRACE|DEBUG|INFO|WARN"
           r"|ERROR) |\d\d:\d\d:\d\d(?:[.,]\d{1,9})? \[|[A-Z][a-z]{2} \d\d "),
    Family("ruby", ("ruby_logger", "sidekiq", "puma", "rails"),
           rf"[DIWEFA], \[|Started [A-Z]|\[[^\]]{{1,100}}+\] Started |\[\d{{1,7}}\] |{_ISO} (?:pid="
           r"|\d{1,10} TID-)"),
    Family("dotnet", ("dotnet_console", "serilog_text", "serilog_thread", "log4net", "nlog"),
           r"(?:trce|dbug|info|warn|fail|crit): |\[?\d"),
    Family("python_web", ("uvicorn", "werkzeug", "django", "celery", "loguru", "airflow", "structlog_console"),
           r"[A-Z]{1,9}: {2}|\[?\d|[^ ]{1,300} - [^ ]{1,300} \[\d"),
    Family("python_apps", ("tornado", "ray", "tensorflow", "pytorch", "vllm", "home_assistant", "odoo", "salt",
           "synapse", "prefect", "locust", "dbt", "ansible", "aws_lambda"),
           r"\[[DIWECF](?:\d{4})? |\[[A-Z]{4,8}\]\t|\[\d{4}|\(|[A-Z]{4,8} \d\d-"
           rf"|\d\d:\d\d:\d\d\S{{0,10}} [|\[]|{_ISO}(?:\t|: ?[A-Z]| (?:[A-Z]{{4,8}} {{1,2}}[(\[]|\d{{1,10}} [A-Z]"
           r"|\[[\w.]{1,200} {0,40}:\d|- |p=\d))"),
    Family("python", ("python_default", "python_verbose", "python_asctime", "python_colons", "python_bars",
           "python_us"),
           r"\[?(?:\d{4}[-/]|[A-Z]{1,9}[: ])|\d\d/\d\d/\d{4} "),
    Family("syslog", ("syslog_rfc5424", "syslog_rfc3164"),
           r"<\d|\d{4}:\d\d:\d\d-\d|[*.\d]{0,12}[: ]{0,2}[*.]?[A-Z][a-z][a-z] {1,2}\d|\d{4}-\d\d-\d\dT\S{1,300} \S"),
    Family("sshd", ("sshd",),
           r"(?:Accepted|Failed|Postponed|Partial|Invalid user|User|Connection|Disconnect|Received|Close|Starting s"
           r"|error|fatal|debug[123]|maximum|PAM|Unable to|banner|ssh_|kex_|padding|Bad p|Did not receive"
           r"|Timeout before|reverse mapping|Address|drop connection|Server listening)"),
    Family("logfmt", ("logfmt",), r"[^\s=]{1,300}+="),
    Family("generic", ("generic",), ""),
)  # fmt: skip
TRACES = (
    "java_stacktrace", "python_traceback", "go_panic", "rust_panic", "dotnet_stacktrace", "node_stacktrace",
    "ruby_backtrace", "php_stacktrace", "dart_stacktrace", "elixir_stacktrace", "cpp_terminate",
)  # fmt: skip
"""Records of stack traces that no header belongs to; they come from `traces`, and cannot be chosen."""
RAW = "raw"
WRAPPERS = ("cri", "docker_json")
"""Peeled from each line; a record of what is inside says what it is inside."""

_CAPITALS = re.compile(r"[A-Z][A-Z|]+(?:\(\?:[A-Z|]+\)\??[A-Z|]*)*")

NAMES = tuple(name for family in FAMILIES for name in family.names)


@cache
def _probes() -> Callable[[str], re.Match[str] | None]:
    """All probes in one pattern: of each family whose probe fits, its group is set."""
    return re.compile("".join(f"(?:(?={family.probe})()|)" for family in FAMILIES)).match


@cache
def load(family: Family) -> tuple[Format, ...]:
    """The formats of a family, imported now if nobody needed them before."""
    formats: tuple[Format, ...] = import_module(f"adapter_logformat.formats.{family.module}").FORMATS
    return formats


def named(name: str) -> Format:
    """The format that writes `log.format` = `name`; `KeyError` for a name not in the catalogue."""
    for family in FAMILIES:
        if name in family.names:
            return next(found for found in load(family) if name in found.names)
    raise KeyError(name)


Fits = tuple[str | None, ...]
"""By family: not `None` where its probe fits."""


@lru_cache(maxsize=256)
def _formats_of(fits: Fits) -> tuple[tuple[Format, ...], tuple[Format, ...], re.Pattern[str] | None]:
    """The families' formats; those of them that are left where a line has no level word in capitals; and what finds
    such words."""
    formats = chain.from_iterable(load(family) for family, fit in zip(FAMILIES, fits, strict=True) if fit is not None)
    ordered = tuple(sorted(formats, key=lambda format: -format.rank))
    left = tuple(format for format in ordered if not _CAPITALS.fullmatch(format.needs))
    words = {format.needs for format in ordered} - {format.needs for format in left}
    return ordered, left, re.compile("|".join(sorted(words)), re.ASCII) if words else None


def candidates(line: str) -> tuple[Format, ...]:
    """The formats whose family may hold `line`, highest rank first, then in the order of families."""
    found = _probes()(line)
    if found is None:
        return ()
    formats, left, levels = _formats_of(found.groups())
    return formats if levels is None or levels.search(line) is not None else left
