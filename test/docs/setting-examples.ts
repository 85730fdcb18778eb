/** Mistakes in the settings, as people make them; what is said of each is the program's own sentence. */
import { ConfigError, type Environment, parseConfig } from '../../src/config.ts';

const MISTAKES: readonly Environment[] = [
  { HTTP_PORT: '80a' },
  { HTTP_PORT: '9000' },
  { MARATHON_URL: 'marathon.mesos:8080' },
  { MARATHON_URL: 'http://marathon.mesos:8080/#/apps' },
  { MARATHON_LB_ID: '/letsencrypt-dcos' },
  { MARATHON_LB_ID: '/Marathon LB' },
  { MARATHON_LB_CERT_ENV: 'HAPROXY-SSL' },
  { MARATHON_USER: 'marathon' },
  { MARATHON_TOKEN: 'x', MARATHON_USER: 'marathon', MARATHON_PASSWORD: 'x' },
  { DCOS_SERVICE_ACCOUNT_CREDENTIAL: 'my-secret' },
  { LETSENCRYPT_SERVER_URL: 'acme-v02.api.letsencrypt.org' },
  { LETSENCRYPT_SERVER_URL: 'https://acme-v01.api.buypass.com/acme/directory' },
  { KEY_TYPE: 'rsa1024' },
  { ADMIN_TOKEN: 'secret' },
  { LISTEN_ADDRESS: 'localhost' },
  { RUN_AS: 'root' },
  { CHECK_SCHEDULE: '@daily' },
  { CHECK_SCHEDULE: '61 3 * * *' },
  { SERVED_CHECK: 'www.example.com' },
  { INSTALL_WINDOW: '2-5' },
  { INSTALL_WINDOW: '02:00-05:00 CET' },
  { PAUSE: 'yes' },
  { DEPLOYMENT_TIMEOUT: '10m' },
  { PREFLIGHT_RESOLVERS: 'dns.google' },
  { WEBHOOK_URL: 'hooks.example.com/x' },
];

export interface Mistake {
  readonly set: string;
  readonly said: readonly string[];
}

export const mistakes: readonly Mistake[] = MISTAKES.map((env) => ({
  set: Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join(' '),
  said: problemsOf(env),
}));

function problemsOf(env: Environment): readonly string[] {
  try {
    parseConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
