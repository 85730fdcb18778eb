/**
 * The pieces of text that haproxy.cfg is made of, under the names by which marathon-lb lets people replace them.
 *
 * An app replaces one with a label HAPROXY_{n}_NAME, the load balancer's own app with a variable HAPROXY_NAME. Both
 * are filled in by the rules of Python's str.format: {name} is a value, {{ and }} are braces.
 * Binds say *:80, *:443 and *:9090 as in the real one; render.ts puts the task's addresses there.
 */
import { LeftOut } from './labels.ts';

const DEFAULTS = {
  // HAProxy 2.1 and later refuse to start when the file limit is below what maxconn needs: 2000 fits everywhere.
  // noreuseport: a port that is taken is an error, as it is between two containers; a reload hands sockets over.
  HEAD: `global
  maxconn 2000
  nbthread 1
  noreuseport
  crt-base {sslDirectory}
  lua-load {getconfigScript}
  tune.ssl.default-dh-param 2048
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
  ssl-default-server-options ssl-min-ver TLSv1.2 no-tls-tickets
defaults
  retries 3
  backlog 1000
  maxconn 2000
  timeout connect 3s
  timeout client 30s
  timeout server 30s
  timeout tunnel 3600s
  timeout http-keep-alive 1s
  timeout http-request 15s
  timeout queue 30s
  option redispatch
  option http-server-close
  option dontlognull
listen stats
  bind *:9090
  mode http
  stats enable
  monitor-uri /_haproxy_health_check
  acl getconfig path /_haproxy_getconfig
  http-request use-service lua.getconfig if getconfig
`,
  // The port is cut from Host because Pebble always sends one and no real CA does; see DIFFERENCES.md.
  HTTP_FRONTEND_HEAD: `
frontend marathon_http_in
  bind *:80
  mode http
  http-request set-header Host %[req.hdr(host),field(1,:)]
`,
  HTTPS_FRONTEND_HEAD: `
frontend marathon_https_in
  bind *:443 ssl {sslCerts}
  mode http
`,
  USERLIST: `
userlist user_{backend}
  user {user} password {passwordHash}
`,
  HTTP_FRONTEND_ACL: `  acl host_{cleanedUpHostname} hdr(host) -i {hostname}
  use_backend {backend} if host_{cleanedUpHostname}
`,
  HTTP_FRONTEND_ACL_WITH_PATH: `  acl path_{backend} path_beg {path}
  acl host_{cleanedUpHostname} hdr(host) -i {hostname}
  use_backend {backend} if host_{cleanedUpHostname} path_{backend}
`,
  HTTP_FRONTEND_ACL_ONLY: `  acl host_{cleanedUpHostname} hdr(host) -i {hostname}
`,
  HTTP_FRONTEND_ACL_ONLY_WITH_PATH: `  acl path_{backend} path_beg {path}
`,
  HTTP_FRONTEND_AUTH: `  acl auth_{cleanedUpHostname} http_auth(user_{backend})
  http-request auth realm "{realm}" if host_{cleanedUpHostname} !auth_{cleanedUpHostname}
`,
  HTTP_FRONTEND_AUTH_WITH_PATH: `  acl auth_{cleanedUpHostname} http_auth(user_{backend})
  http-request auth realm "{realm}" if host_{cleanedUpHostname} path_{backend} !auth_{cleanedUpHostname}
`,
  HTTP_FRONTEND_ROUTING_ONLY: `  use_backend {backend} if host_{cleanedUpHostname}
`,
  HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH: `  use_backend {backend} if host_{cleanedUpHostname} path_{backend}
`,
  BACKEND_REDIRECT_HTTP_TO_HTTPS: `  redirect scheme https code 301 if !{{ ssl_fc }} host_{cleanedUpHostname}
`,
  BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH: `  redirect scheme https code 301 if !{{ ssl_fc }} host_{cleanedUpHostname} path_{backend}
`,
  HTTPS_FRONTEND_ACL: `  use_backend {backend} if {{ ssl_fc_sni {hostname} }}
`,
  HTTPS_FRONTEND_ACL_WITH_PATH: `  use_backend {backend} if {{ ssl_fc_sni {hostname} }} path_{backend}
`,
  HTTPS_FRONTEND_AUTH_ACL_ONLY: `  acl auth_{cleanedUpHostname} http_auth(user_{backend})
`,
  HTTPS_FRONTEND_AUTH: `  http-request auth realm "{realm}" if {{ ssl_fc_sni {hostname} }} !auth_{cleanedUpHostname}
`,
  HTTPS_FRONTEND_AUTH_WITH_PATH: `  http-request auth realm "{realm}" if {{ ssl_fc_sni {hostname} }} path_{backend} !auth_{cleanedUpHostname}
`,
  BACKEND_HEAD: `
backend {backend}
  balance roundrobin
  mode {mode}
`,
  BACKEND_HTTP_OPTIONS: `  option forwardfor
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request add-header X-Forwarded-Proto https if { ssl_fc }
`,
  // Refused by HAProxy 2.1 and later, which is why USE_HSTS removes an app there. Kept: that is the fact to live with.
  BACKEND_HSTS_OPTIONS: `  rspadd  Strict-Transport-Security:\\ max-age=15768000
`,
  BACKEND_HTTP_HEALTHCHECK_OPTIONS: `  option httpchk GET {healthCheckPath}
  timeout check {healthCheckTimeoutSeconds}s
`,
  BACKEND_SERVER_OPTIONS: `  server {serverName} {host_ipv4}:{port} id {serverId}{cookieOptions}{healthCheckOptions}{otherOptions}
`,
};

export type TemplateName = keyof typeof DEFAULTS;

/** These are used as they are: braces in them are HAProxy's. */
const RAW: readonly TemplateName[] = ['BACKEND_HTTP_OPTIONS', 'BACKEND_HSTS_OPTIONS'];

export type Values = Readonly<Record<string, string | number>>;
export type Fill = (name: TemplateName, values: Values) => string;

/** An app's own template, else the load balancer's, else the default. */
export function templates(env: Readonly<Record<string, string>>, own: Readonly<Record<string, string>>): Fill {
  return (name, values) => {
    const template = own[name] ?? env[`HAPROXY_${name}`] ?? DEFAULTS[name];
    return RAW.includes(name) ? template : format(name, template, values);
  };
}

function format(name: string, template: string, values: Values): string {
  return template.replace(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g, (found, key: string | undefined) => {
    if (found === '{{' || found === '}}') return found.charAt(0);
    const value = key === undefined ? undefined : values[key];
    if (value === undefined) throw new LeftOut(`${name}: ${found} is not a value; a brace is written twice`);
    return String(value);
  });
}
