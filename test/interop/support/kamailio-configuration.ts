import { kamailioModules } from './kamailio-process.ts';

const needed = ['tls', 'tm', 'registrar', 'usrloc', 'auth', 'websocket', 'xhttp', 'path', 'outbound', 'nathelper'];

export const kamailioNetworkModules: readonly string[] = needed;
export const kamailioDomain = 'ims.test';

export interface KamailioNetworkOptions {
  /** Passwords by user name; letters and digits. */
  readonly users: Readonly<Record<string, string>>;
  readonly algorithm: 'MD5' | 'SHA-256';
  /** MESSAGEs are challenged with 407 too. */
  readonly challengesMessages?: boolean;
  /** The registrar writes the bodies of all MESSAGEs to its log, in hexadecimal. */
  readonly logsBodies?: boolean;
  /** Edges in front of the registrar, as P-CSCFs that add Path with a flow token (RFC 5626); none: UEs go to the registrar itself. */
  readonly edges?: number;
  /** What starts its programs inside another network. */
  readonly within?: readonly string[];
}

/** Ports on 127.0.0.1 where UEs connect; WS is at the TCP port, WSS at the TLS port. */
export interface AccessPorts {
  readonly udp: number;
  readonly tcp: number;
  readonly tls: number;
}

function preamble({ udp, tcp, tls }: AccessPorts, file: (name: string) => string, modules: readonly string[]): string {
  return `#!KAMAILIO
debug=1
log_stderror=yes
auto_aliases=no
children=2
tcp_children=4
enable_tls=yes
tcp_accept_no_cl=yes
tcp_connection_lifetime=3605
disable_sctp=yes
force_rport=yes
listen=udp:127.0.0.1:${udp}
listen=tcp:127.0.0.1:${tcp}
listen=tls:127.0.0.1:${tls}
mpath="${kamailioModules(needed)}"
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("tls", "private_key", "${file('key.pem')}")
modparam("tls", "certificate", "${file('certificate.pem')}")
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "verify_certificate", 0)
modparam("tls", "require_certificate", 0)
modparam("nathelper|registrar", "received_avp", "$avp(RECEIVED)")
modparam("xlog", "buf_size", 65536)
modparam("tm", "failure_reply_mode", 3)
`;
}

const webSocket = `
event_route[xhttp:request] {
  set_reply_close();
  set_reply_no_connect();
  if ($hdr(Upgrade) =~ "websocket" && $hdr(Connection) =~ "Upgrade" && $rm =~ "GET") {
    if (ws_handle_handshake()) exit;
  }
  xhttp_reply("404", "Not Found", "", "");
}
`;

/** How every request begins: bounded, cancelled and in-dialog ones are dealt with. */
const requestHead = `  if (!mf_process_maxfwd_header("10")) {
    sl_send_reply("483", "Too Many Hops");
    exit;
  }
  if (is_method("CANCEL")) {
    if (t_check_trans()) t_relay();
    exit;
  }
  if (has_totag()) {
    if (loose_route()) {
      t_relay();
    } else if (is_method("ACK")) {
      if (t_check_trans()) t_relay();
    } else {
      sl_send_reply("404", "Not Here");
    }
    exit;
  }
  t_check_trans();
`;

// In the order that they ask for: stun and outbound before those that look for them.
const common = [
  'tls',
  'kex',
  'sl',
  'tm',
  'tmx',
  'corex',
  'stun',
  'outbound',
  'rr',
  'maxfwd',
  'textops',
  'textopsx',
  'siputils',
  'pv',
  'xlog',
];

/** The registrar and proxy of the domain. @param file path of a file beside the configuration */
export function homeConfiguration(
  ports: AccessPorts,
  file: (name: string) => string,
  { users, algorithm, challengesMessages = false, logsBodies = false, edges = 0 }: KamailioNetworkOptions,
): string {
  const modules = [...common, 'usrloc', 'registrar', 'path', 'auth', 'nathelper', 'xhttp', 'websocket'];
  const passwords = Object.entries(users)
    .map(([user, password]) => `  if ($au == "${user}") { $var(password) = "${password}"; }`)
    .join('\n');
  const hasEdges = edges > 0;
  return `${preamble(ports, file, modules)}
modparam("tm", "fr_timer", 5000)
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("auth", "algorithm", "${algorithm}")
modparam("usrloc", "db_mode", 0)
modparam("registrar", "use_path", ${hasEdges ? 1 : 0})
modparam("registrar", "path_mode", 1)
modparam("registrar", "gruu_enabled", 1)
modparam("registrar", "outbound_mode", ${hasEdges ? 1 : 0})
modparam("registrar", "regid_mode", ${hasEdges ? 1 : 0})
modparam("tm", "contacts_avp", "tm_contacts")
modparam("tm", "contact_flows_avp", "tm_contact_flows")
alias="${kamailioDomain}"

request_route {
${requestHead}  if (is_method("REGISTER")) {
    route(CREDENTIALS);
    if ($var(password) == "" || !pv_www_authenticate("${kamailioDomain}", "$var(password)", "0")) {
      www_challenge("${kamailioDomain}", "1");
      exit;
    }
    ${hasEdges ? '' : 'add_contact_alias();'}
    append_to_reply("Service-Route: <sip:127.0.0.1:${ports.udp};lr>\r\n");
    append_to_reply("P-Associated-URI: <sip:$au@${kamailioDomain}>\r\n");
    if (!save("location")) sl_reply_error();
    exit;
  }
  if (is_method("MESSAGE")) xlog("L_ALERT", "network-test MESSAGE $ci over $proto\n");
${logsBodies ? '  if (is_method("MESSAGE")) xlog("L_ALERT", "network-test body $(rb{s.encode.hexa})\\n");' : ''}
  if (is_present_hf("Route")) loose_route();
  if ($fd != "${kamailioDomain}") {
    sl_send_reply("403", "Not Ours");
    exit;
  }
${
  challengesMessages
    ? `  if (is_method("MESSAGE")) {
    route(CREDENTIALS);
    if ($var(password) == "" || !pv_proxy_authenticate("${kamailioDomain}", "$var(password)", "0")) {
      proxy_challenge("${kamailioDomain}", "1");
      exit;
    }
    consume_credentials();
  }
`
    : ''
}  remove_hf("P-Preferred-Identity");
  remove_hf("P-Asserted-Identity");
  append_hf("P-Asserted-Identity: <sip:$fU@${kamailioDomain}>\r\n");
  if (!is_method("MESSAGE")) record_route();
  if (!lookup("location")) {
    sl_send_reply("480", "Temporarily Unavailable");
    exit;
  }
${
  hasEdges
    ? `  if (!t_load_contacts()) {
    sl_send_reply("500", "No Contacts");
    exit;
  }
  # With a single contact there is nothing to choose from, which it tells as a failure.
  t_next_contacts();
  t_on_failure("OUTBOUND");
  t_on_branch_failure("OUTBOUND");
`
    : `  handle_ruri_alias();
  t_on_branch("ALIAS");
`
}  if (!t_relay()) sl_reply_error();
}

route[CREDENTIALS] {
  $var(password) = "";
${passwords}
}
${
  hasEdges
    ? `
event_route[tm:branch-failure:OUTBOUND] {
  if (($T_reply_code == 430) || ($T_reply_code == 408 && !t_branch_replied())) {
    xlog("L_ALERT", "network-test next flow after $T_reply_code\n");
    unregister("location", "$tu", "$T_reply_ruid");
    if (t_next_contact_flow()) t_relay();
  }
}
failure_route[OUTBOUND] {
  if (t_next_contacts()) t_relay();
}
`
    : `
branch_route[ALIAS] {
  handle_ruri_alias();
}
`
}${webSocket}`;
}

/** An edge before the registrar, as a P-CSCF that adds Path. @param home UDP port of the registrar */
export function edgeConfiguration(ports: AccessPorts, file: (name: string) => string, home: number): string {
  const modules = [...common, 'path', 'nathelper', 'xhttp', 'websocket'];
  return `${preamble(ports, file, modules)}
modparam("path", "enable_r2", 1)
# Longer than the registrar waits for one flow, which goes to the next one then.
modparam("tm", "fr_timer", 20000)

request_route {
${requestHead}  if (is_method("REGISTER")) {
    remove_hf("Route");
    add_path();
    $du = "sip:127.0.0.1:${home}";
    if (!t_relay()) sl_reply_error();
    exit;
  }
  if ($si == "127.0.0.1" && $sp == ${home} && $proto == "udp") {
    loose_route();
    # -3 is success for a route that was preloaded.
    if ($rc == -1 || $rc == -2) {
      sl_send_reply("430", "Flow Failed");
      exit;
    }
    if (!is_method("MESSAGE")) record_route();
    xlog("L_ALERT", "network-test $rm $ci to a device\n");
    set_forward_no_connect();
    t_on_failure("FLOW");
    if (!t_relay()) sl_send_reply("430", "Flow Failed");
    exit;
  }
  remove_hf("Route");
  if (!is_method("MESSAGE")) record_route();
  $du = "sip:127.0.0.1:${home}";
  if (!t_relay()) sl_reply_error();
}

failure_route[FLOW] {
  # What the device itself answered goes back as it is; "replied" counts only what came before.
  if (t_branch_timeout() && !t_branch_replied()) t_reply("430", "Flow Failed");
}
${webSocket}`;
}
