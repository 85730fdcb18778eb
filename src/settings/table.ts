/**
 * The table of settings: each variable once, with its meaning, its default and how it is read.
 *
 * The README's table and `--help` are this table. Defaults suit a real cluster; whoever wants something else says so.
 */

import { currentDirectoryUrl } from '../certificates/authority.ts';
import { KEY_TYPES } from '../certificates/spec.ts';
import { installWindow } from '../install-window/window.ts';
import { parseServiceAccount } from '../marathon/auth.ts';
import {
  adminToken,
  appId,
  cronExpression,
  dnsServers,
  email,
  hostAndPort,
  httpUrl,
  listenAddress,
  marathonUrls,
  oneOf,
  port,
  secondsToMs,
  userAndGroup,
  variableName,
  webhookUrl,
  yesOrNo,
} from './parsers.ts';

export interface Setting<T> {
  readonly name: string;
  readonly meaning: string;
  /** As text, the way an operator would write it; empty: there is none. */
  readonly default: string;
  readonly parse: (text: string) => T;
  /** Never shown: only that it is set. */
  readonly secret?: boolean;
  /** A URL that may have a password in it, which is masked when shown. */
  readonly mayCarryUserinfo?: boolean;
  /** Other spellings that are read when this one is not set. */
  readonly aliases?: readonly string[];
}

const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';
export const PREFLIGHT_MODES = ['auto', 'strict', 'off'] as const;
export const WEBHOOK_FORMATS = ['auto', 'json', 'slack'] as const;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const asIs = (text: string): string => text;

function directory(text: string): { url: string; warning?: string } {
  const { url, warning } = currentDirectoryUrl(httpUrl(text, LETS_ENCRYPT).href);
  return warning === undefined ? { url } : { url, warning: `LETSENCRYPT_SERVER_URL: ${warning}` };
}

function proxy(text: string): string {
  const url = text.includes('://') ? text : `http://${text}`; // many people write host:port
  httpUrl(url, 'http://proxy.example.com:3128');
  return url;
}

function setting<T>(name: string, fallback: string, parse: (text: string) => T, meaning: string): Setting<T> {
  return { name, default: fallback, parse, meaning };
}

export const TABLE = {
  marathonUrl: {
    ...setting(
      'MARATHON_URL',
      'http://marathon.mesos:8080',
      marathonUrls,
      'Where Marathon answers: one URL, or several with commas between. `user:password@` may stand in it.',
    ),
    mayCarryUserinfo: true,
  },
  appId: setting(
    'MARATHON_APP_ID',
    '/letsencrypt-dcos',
    appId,
    'The id of our own app, whose labels name the domains. Marathon sets it.',
  ),
  taskId: setting('MESOS_TASK_ID', '', asIs, 'The id of our own task, which tells instances apart. Mesos sets it.'),
  lbId: setting(
    'MARATHON_LB_ID',
    '/marathon-lb',
    appId,
    "The id of the load balancer's app, into whose environment the certificate is put.",
  ),
  certEnv: setting(
    'MARATHON_LB_CERT_ENV',
    'HAPROXY_SSL_CERT',
    variableName,
    "The first variable of the load balancer's environment that we may fill.",
  ),
  email: setting('LETSENCRYPT_EMAIL', '', asIs, 'Contact for the account at the CA. Optional.'),
  directory: {
    ...setting(
      'LETSENCRYPT_SERVER_URL',
      LETS_ENCRYPT,
      directory,
      'The ACME directory of the CA. `LETSENCRYPT_URL` is read too.',
    ),
    aliases: ['LETSENCRYPT_URL'],
    mayCarryUserinfo: true,
  },
  serviceAccount: {
    ...setting(
      'DCOS_SERVICE_ACCOUNT_CREDENTIAL',
      '',
      parseServiceAccount,
      'DC/OS Enterprise: the service account to log in to Marathon with (JSON, normally from a secret).',
    ),
    secret: true,
  },
  user: setting('MARATHON_USER', '', asIs, "User for Marathon's basic authentication."),
  password: { ...setting('MARATHON_PASSWORD', '', asIs, 'Password of that user.'), secret: true },
  token: { ...setting('MARATHON_TOKEN', '', asIs, 'A fixed token for Marathon or Admin Router.'), secret: true },
  domains: setting(
    'DOMAINS',
    '',
    asIs,
    'The names to have a certificate for, with commas between. Replaces those of the `HAPROXY_{n}_VHOST` labels.',
  ),
  httpPort: setting('HTTP_PORT', '80', port, 'Where challenges are answered, inside the container.'),
  adminPort: setting('ADMIN_PORT', '9000', port, 'Where status and readiness are shown, inside the container.'),
  adminToken: {
    ...setting(
      'ADMIN_TOKEN',
      '',
      adminToken,
      'Who has it may press "retry now" and "renew" on the status page; without one there is nothing to press. 16 characters at least.',
    ),
    secret: true,
  },
  listenAddress: setting('LISTEN_ADDRESS', '0.0.0.0', listenAddress, 'The address that both ports are bound to.'),
  stateDir: setting(
    'STATE_DIR',
    '/etc/letsencrypt',
    asIs,
    'The folder for account, certificates and open orders; put a volume there.',
  ),
  runAs: setting(
    'RUN_AS',
    '',
    userAndGroup,
    'Started as root: the user and group, as numbers `uid:gid`, to go on as once the ports are bound. The image sets it.',
  ),
  acmeCaFile: setting('ACME_CA_FILE', '', asIs, 'PEM file of the root that a private ACME server is checked by.'),
  marathonCaFile: setting('MARATHON_CA_FILE', '', asIs, 'PEM file of the root that Marathon is checked by.'),
  keyType: setting('KEY_TYPE', 'rsa4096', oneOf(KEY_TYPES), `Key of the certificate: ${KEY_TYPES.join(', ')}.`),
  checkSchedule: setting(
    'CHECK_SCHEDULE',
    '',
    cronExpression,
    'When everything is looked at anew, as a cron expression of five fields (UTC); daily at a random minute if not set.',
  ),
  lbHttpPort: setting('MARATHON_LB_HTTP_PORT', '80', port, "The load balancer's port for HTTP, inside its container."),
  lbHttpsPort: setting(
    'MARATHON_LB_HTTPS_PORT',
    '443',
    port,
    "The load balancer's port for HTTPS, inside its container.",
  ),
  servedCheck: setting(
    'SERVED_CHECK',
    '',
    hostAndPort,
    'A public address, host:port, at which the certificate has to be seen besides every load balancer instance.',
  ),
  takeOver: setting(
    'TAKE_OVER',
    'false',
    yesOrNo,
    "true: overwrite somebody else's certificate where it is served for one of our names.",
  ),
  restore: setting(
    'RESTORE',
    'on',
    oneOf(['on', 'off']),
    'off: when no load balancer starts with a new certificate, what was served before is not put back.',
  ),
  installWindow: setting(
    'INSTALL_WINDOW',
    '',
    installWindow,
    'The hours in which a changed certificate may redeploy the load balancer, such as `02:00-05:00` or `Mon-Fri 02:00-04:00; Sat,Sun 01:00-06:00 Europe/Berlin`; UTC without a time zone at the end. At any time if not set, and when it is urgent.',
  ),
  pause: setting('PAUSE', 'false', yesOrNo, 'true: serve challenges and report, but change nothing.'),
  httpsProxy: {
    ...setting(
      'HTTPS_PROXY',
      '',
      proxy,
      'Proxy for the way to the CA, and to an https `WEBHOOK_URL`. `https_proxy` is read too.',
    ),
    aliases: ['https_proxy'],
    mayCarryUserinfo: true,
  },
  noProxy: {
    ...setting('NO_PROXY', '', asIs, 'Hosts that are reached without that proxy. `no_proxy` is read too.'),
    aliases: ['no_proxy'],
  },
  logLevel: setting('LOG_LEVEL', 'info', oneOf(LOG_LEVELS), `How much is logged: ${LOG_LEVELS.join(', ')}.`),
  marathonTimeout: setting('MARATHON_TIMEOUT', '10', secondsToMs, 'Seconds that one request to Marathon may take.'),
  acmeTimeout: setting('ACME_TIMEOUT', '30', secondsToMs, 'Seconds that one request to the CA may take.'),
  deploymentTimeout: setting(
    'DEPLOYMENT_TIMEOUT',
    '600',
    secondsToMs,
    'Seconds after which a deployment that does not end is looked into. It is not cancelled (but see `RESTORE`).',
  ),
  probeTimeout: setting('PROBE_TIMEOUT', '5', secondsToMs, 'Seconds that one look through a load balancer may take.'),
  preflight: setting(
    'PREFLIGHT',
    'auto',
    oneOf(PREFLIGHT_MODES),
    'Whether each name is asked for as the CA would ask, before an order: auto (a wrong answer delays the order), strict (an unknown one does too), off.',
  ),
  preflightResolvers: setting(
    'PREFLIGHT_RESOLVERS',
    '',
    dnsServers,
    "DNS servers for that, such as `1.1.1.1,9.9.9.9`, where the cluster's own DNS answers otherwise than the world's.",
  ),
  webhookUrl: {
    ...setting(
      'WEBHOOK_URL',
      '',
      webhookUrl,
      'Where alerts are posted: what fails, what ends soon, what is well again ([docs/alerts.md](docs/alerts.md)).',
    ),
    secret: true,
  },
  webhookFormat: setting(
    'WEBHOOK_FORMAT',
    'auto',
    oneOf(WEBHOOK_FORMATS),
    'How: json, slack (Mattermost, Rocket.Chat and Discord read it too), or auto, which is slack where the URL is one of Slack or ends in `/slack`.',
  ),
} as const;

/** What is not a mistake, but will not do what was meant. */
export function emailOrWarning(text: string | undefined): { email: string | undefined; warning?: string } {
  if (text === undefined) return { email: undefined };
  try {
    return { email: email(text) };
  } catch (error) {
    return {
      email: undefined,
      warning: `LETSENCRYPT_EMAIL ${(error as Error).message}; the account at the CA is made without a contact`,
    };
  }
}
