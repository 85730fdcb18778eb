/** GET /v2/info: enough to see the version and the features. */
import type { Traits } from './profiles.ts';

export function infoOf(traits: Traits, leader: string, secretsEnabled: boolean): unknown {
  return {
    name: 'marathon',
    version: traits.version,
    buildref: 'simulator',
    elected: true,
    leader,
    frameworkId: '20210501-000000-1-5050-1-0000',
    marathon_config: {
      ...(traits.legacy ? {} : { features: secretsEnabled ? ['secrets'] : [] }),
      task_launch_timeout: 300_000,
      ha: true,
    },
    zookeeper_config: { zk: 'zk://localhost:2181/marathon', zk_timeout: 10_000 },
    http_config: { http_port: Number(leader.split(':')[1]), https_port: 8443 },
  };
}
