import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import type { Lack } from '../../support/needs/needs.ts';
import { kamailioModules, lackOfKamailio, startKamailio } from './kamailio-process.ts';
import { freePort } from './peer-process.ts';

const needed = ['msrp', 'tls'];

/** Undefined where Kamailio can run as an MSRP relay. */
export const lackOfKamailioRelay = (): Lack | undefined => lackOfKamailio(needed);

export interface KamailioRelayOptions {
  /** Passwords by user name; letters and digits. */
  readonly users: Readonly<Record<string, string>>;
  readonly algorithm: 'MD5' | 'SHA-256';
  readonly minExpires: number;
  readonly maxExpires: number;
  /** Whether an AUTH for a session that has a URI gives that one for longer; what its examples do is to give a new one. */
  readonly keepsUri: boolean;
}

export interface KamailioRelay {
  readonly uri: string;
  readonly caPem: string;
  /** AUTH requests that it granted so far, by its own log. */
  granted(): number;
  stop(): Promise<void>;
}

/** Kamailio's msrp module as the relay of RFC 4976 on loopback, under the name `localhost`. */
export async function startKamailioRelay(options: KamailioRelayOptions): Promise<KamailioRelay> {
  const folder = temporaryFolder('kamailio');
  const file = (name: string): string => join(folder, name);
  const authority = await createCertificateAuthority({ commonName: 'relay test', now: Date.now() });
  const leaf = await authority.issue({ dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] });
  writeFileSync(file('certificate.pem'), leaf.certificatePem);
  writeFileSync(file('key.pem'), leaf.privateKeyPem, { mode: 0o600 });
  for (let attempt = 1; ; attempt++) {
    // It cannot choose a port itself: another program may take the one that was free a moment ago.
    const port = await freePort();
    writeFileSync(file('relay.cfg'), configuration(port, file, options));
    const process = await startKamailio({ folder, configuration: file('relay.cfg'), port });
    if (process !== undefined) {
      return {
        uri: `msrps://localhost:${port};tcp`,
        caPem: authority.certificatePem,
        granted: () => process.output().split('relay-test granted').length - 1,
        stop: () => process.stop(),
      };
    }
    if (attempt === 3) throw new Error('kamailio does not start');
  }
}

function configuration(
  port: number,
  file: (name: string) => string,
  { users, algorithm, minExpires, maxExpires, keepsUri }: KamailioRelayOptions,
): string {
  const passwords = Object.entries(users)
    .map(([user, password]) => `  if ($au == "${user}") { $var(password) = "${password}"; }`)
    .join('\n');
  return `#!KAMAILIO
debug=1
log_stderror=yes
auto_aliases=no
children=1
tcp_children=4
enable_tls=yes
tcp_accept_no_cl=yes
tcp_rd_buf_size=65536
tcp_connection_lifetime=3605
tcp_wq_max=268435456
tcp_conn_wq_max=67108864
disable_sctp=yes
listen=tls:127.0.0.1:${port}
mpath="${kamailioModules(needed)}"
loadmodule "tls.so"
loadmodule "sl.so"
loadmodule "kex.so"
loadmodule "pv.so"
loadmodule "auth.so"
loadmodule "cfgutils.so"
loadmodule "htable.so"
loadmodule "xlog.so"
loadmodule "msrp.so"
modparam("tls", "private_key", "${file('key.pem')}")
modparam("tls", "certificate", "${file('certificate.pem')}")
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "verify_certificate", 0)
modparam("tls", "require_certificate", 0)
modparam("tls", "con_ct_wq_max", 67108864)
modparam("tls", "ct_wq_max", 268435456)
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
modparam("auth", "algorithm", "${algorithm}")
modparam("htable", "htable", "place=>size=8;autoexpire=${maxExpires};")
modparam("htable", "htable", "known=>size=8;autoexpire=3600;")

request_route { drop; }
reply_route { drop; }

event_route[msrp:frame-in] {
  msrp_reply_flags("1");
  if (msrp_is_reply()) {
    msrp_relay();
    exit;
  }
  if ($msrp(method) == "AUTH") {
    if ($msrp(nexthops) > 0) {
      msrp_relay();
      exit;
    }
    $var(password) = "";
${passwords}
    if ($var(password) == "" || !pv_www_authenticate("lab.test", "$var(password)", "0", "$msrp(method)")) {
      if (auth_get_www_authenticate("lab.test", "1", "$var(challenge)")) {
        msrp_reply("401", "Unauthorized", "$var(challenge)");
      } else {
        msrp_reply("500", "Server Error");
      }
      exit;
    }
    $var(expires) = ${maxExpires};
    if ($hdr(Expires) != $null) {
      $var(expires) = $(hdr(Expires){s.int});
      if ($var(expires) < ${minExpires}) {
        msrp_reply("423", "Interval Out-of-Bounds", "Min-Expires: ${minExpires}\\r\\n");
        exit;
      }
      if ($var(expires) > ${maxExpires}) {
        msrp_reply("423", "Interval Out-of-Bounds", "Max-Expires: ${maxExpires}\\r\\n");
        exit;
      }
    }
    $var(client) = $msrp(prevhop);
    $var(place) = $sht(known=>$var(client));
    if (${keepsUri ? '' : '1 == 1 || '}$var(place) == $null || $var(place) == "" || $var(place) == 0) {
      pv_printf("$var(place)", "s.$(pp).$(RANDOM).$(RANDOM)");
      $sht(known=>$var(client)) = $var(place);
    }
    $sht(place=>$var(place)::address) = $msrp(srcaddr);
    $sht(place=>$var(place)::socket) = $msrp(srcsock);
    $shtex(place=>$var(place)) = $var(expires) + 5;
    xlog("L_ALERT", "relay-test granted $var(place)\\n");
    $var(headers) = "Use-Path: msrps://127.0.0.1:${port}/" + $var(place) + ";tcp\\r\\nExpires: " + $var(expires) + "\\r\\n";
    msrp_reply("200", "OK", "$var(headers)");
    exit;
  }
  if ($msrp(method) == "SEND" || $msrp(method) == "REPORT") {
    if ($msrp(nexthops) > 1) {
      if ($msrp(method) != "REPORT") {
        msrp_reply("200", "OK");
      }
      msrp_relay();
      exit;
    }
    $var(place) = $msrp(sessid);
    if ($sht(place=>$var(place)::address) == $null) {
      if ($msrp(method) != "REPORT") {
        msrp_reply("481", "Session does not exist");
      }
      exit;
    }
    if ($msrp(method) != "REPORT") {
      msrp_reply("200", "OK");
    }
    msrp_relay_flags("1");
    msrp_set_dst("$sht(place=>$var(place)::address)", "$sht(place=>$var(place)::socket)");
    msrp_relay();
    exit;
  }
  msrp_reply("501", "Unknown method");
}
`;
}
