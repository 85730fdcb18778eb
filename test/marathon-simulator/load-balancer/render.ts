/**
 * From what the labels ask to haproxy.cfg. Pure; whether HAProxy takes it is for HAProxy to say.
 *
 * Inside a front end the services stand by weight, the largest first, then by app id, then by service port. That
 * order decides between `use_backend` lines only: HAProxy looks at every `http-request` rule first, at every
 * `redirect` rule next, and at `use_backend` last, wherever they stand.
 */
import type { HealthCheck } from '../model.ts';
import type { RoutedService } from './labels.ts';
import { type Fill, templates, type Values } from './templates.ts';

/** What one service adds to the file. */
export interface Fragment {
  readonly appId: string;
  readonly servicePort: number;
  readonly weight: number;
  readonly userlist: string;
  readonly http: string;
  readonly https: string;
  readonly backend: string;
}

/** What is the same whatever the apps are. */
export interface Frame {
  readonly env: Readonly<Record<string, string>>;
  /** Where the container's ports, 80, 443 and 9090 above all, are to be found: `10.0.0.4:31080`. */
  readonly addresses: Readonly<Record<number, string>>;
  readonly sslDirectory: string;
  /** File names in that directory, in the order of the bind line. */
  readonly certificates: readonly string[];
  readonly getconfigScript: string;
}

export function fragmentOf(service: RoutedService, env: Readonly<Record<string, string>>): Fragment {
  const { appId, servicePort, weight, hosts, auth } = service;
  const fill = templates(env, service.own);
  const values = valuesOf(service);
  const routed = hosts.length > 0;
  return {
    appId,
    servicePort,
    weight,
    userlist: auth ? fill('USERLIST', values) : '',
    http: routed ? httpRules(service, fill, values) : '',
    https: routed ? httpsRules(service, fill, values) : '',
    backend: backend(service, fill, values),
  };
}

export function render(fragments: readonly Fragment[], frame: Frame): string {
  const inOrder = [...fragments].sort(byWeight);
  const fill = templates(frame.env, {});
  const sslCerts = frame.certificates.map((file) => `crt ${file}`).join(' ');
  const { sslDirectory, getconfigScript } = frame;
  const text = [
    fill('HEAD', { sslDirectory, getconfigScript }),
    ...inOrder.map(({ userlist }) => userlist),
    fill('HTTP_FRONTEND_HEAD', {}),
    ...inOrder.map(({ http }) => http),
    fill('HTTPS_FRONTEND_HEAD', { sslCerts }),
    ...inOrder.map(({ https }) => https),
    ...inOrder.map(({ backend }) => backend),
  ].join('');
  return text.replace(/^(\s*bind )\*:(\d+)/gm, (line, bind: string, port: string) => {
    const address = frame.addresses[Number(port)];
    return address === undefined ? line : bind + address;
  });
}

function byWeight(a: Fragment, b: Fragment): number {
  if (a.weight !== b.weight) return b.weight - a.weight;
  if (a.appId !== b.appId) return a.appId < b.appId ? -1 : 1;
  return a.servicePort - b.servicePort;
}

function valuesOf({ appId, servicePort, hosts, path, auth }: RoutedService): Values {
  const app = appId.replace(/^\//, '').replaceAll('/', '_');
  return {
    appId: app,
    servicePort,
    backend: `${app}_${servicePort}`,
    // All hosts of a list share one ACL, named after the first.
    cleanedUpHostname: `${(hosts[0] ?? '').replace(/[^a-zA-Z0-9-]/g, '_')}_${app}`,
    hostname: hosts[0] ?? '',
    path: path ?? '',
    mode: hosts.length > 0 ? 'http' : 'tcp',
    ...auth,
  };
}

/** One host: one template that has it all. A list, or basic auth: the hosts first, then the rules. */
function httpRules(service: RoutedService, fill: Fill, values: Values): string {
  const { hosts, path, auth, redirectToHttps } = service;
  const redirect = path ? 'BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH' : 'BACKEND_REDIRECT_HTTP_TO_HTTPS';
  const rules =
    hosts.length === 1 && !auth
      ? [fill(path ? 'HTTP_FRONTEND_ACL_WITH_PATH' : 'HTTP_FRONTEND_ACL', values)]
      : [
          path ? fill('HTTP_FRONTEND_ACL_ONLY_WITH_PATH', values) : '',
          ...hosts.map((hostname) => fill('HTTP_FRONTEND_ACL_ONLY', { ...values, hostname })),
          auth ? fill(path ? 'HTTP_FRONTEND_AUTH_WITH_PATH' : 'HTTP_FRONTEND_AUTH', values) : '',
          fill(path ? 'HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH' : 'HTTP_FRONTEND_ROUTING_ONLY', values),
        ];
  return [...rules, redirectToHttps ? fill(redirect, values) : ''].join('');
}

/** By SNI, which HAProxy compares as it came; by name, where HTTP has one ACL for all of them. */
function httpsRules({ hosts, path, auth }: RoutedService, fill: Fill, values: Values): string {
  const perHost = hosts.map((hostname) => {
    const named = { ...values, hostname };
    const asks = path ? 'HTTPS_FRONTEND_AUTH_WITH_PATH' : 'HTTPS_FRONTEND_AUTH';
    return (auth ? fill(asks, named) : '') + fill(path ? 'HTTPS_FRONTEND_ACL_WITH_PATH' : 'HTTPS_FRONTEND_ACL', named);
  });
  return [
    path ? fill('HTTP_FRONTEND_ACL_ONLY_WITH_PATH', values) : '',
    auth ? fill('HTTPS_FRONTEND_AUTH_ACL_ONLY', values) : '',
    ...perHost,
  ].join('');
}

function backend(service: RoutedService, fill: Fill, values: Values): string {
  const { hosts, useHsts, healthCheck, servers } = service;
  const http = hosts.length > 0;
  const asksPath = healthCheck?.protocol.endsWith('HTTP') || healthCheck?.protocol.endsWith('HTTPS');
  return [
    fill('BACKEND_HEAD', values),
    http ? fill('BACKEND_HTTP_OPTIONS', values) : '',
    http && useHsts ? fill('BACKEND_HSTS_OPTIONS', values) : '',
    healthCheck && asksPath ? fill('BACKEND_HTTP_HEALTHCHECK_OPTIONS', { ...values, ...checkValues(healthCheck) }) : '',
    ...servers.map(({ host, port }, nth) =>
      fill('BACKEND_SERVER_OPTIONS', {
        ...values,
        serverName: `${host}_${port}`.replace(/[^a-zA-Z0-9_-]/g, '_'),
        host,
        host_ipv4: host,
        port,
        serverId: nth + 1,
        cookieOptions: '',
        healthCheckOptions: healthCheckOptions(healthCheck),
        otherOptions: '',
      }),
    ),
  ].join('');
}

function checkValues({ path, timeoutSeconds }: HealthCheck): Values {
  return { healthCheckPath: path ?? '/', healthCheckTimeoutSeconds: timeoutSeconds };
}

/** HAProxy asks too, as often as Marathon does; a COMMAND it cannot run. */
function healthCheckOptions(check: HealthCheck | undefined): string {
  if (check === undefined || check.protocol === 'COMMAND') return '';
  return ` check inter ${check.intervalSeconds}s fall ${check.maxConsecutiveFailures + 1}`;
}
