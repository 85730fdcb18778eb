/** The checks of names: which of them, and what each look at them is asked. */
import { isPublicCa } from '../certificates/authority.ts';
import { checkName } from '../certificates/domain.ts';
import { instancesOf } from '../observe.ts';
import type { CertificateStatus } from '../plan/plan.ts';
import { situation } from '../plan/situation.ts';
import type { LoadBalancerInstance } from '../route.ts';
import type { Endpoint } from '../served.ts';
import { type Diagnosis, diagnosis } from './diagnosis.ts';
import { aboutCaa, aboutDns, aboutReach, aboutRoute, aboutServed, type NamesContext } from './names.ts';
import type { Glance, Senses, Work } from './senses.ts';

export interface NamesExam {
  readonly senses: Senses;
  /** Of the command line; none: all that are wanted. */
  readonly names: readonly string[];
  readonly signal: AbortSignal;
  readonly check: (what: string, work: Work) => ReturnType<Work>;
}

export async function aboutNames({ seen, policy, planned }: Glance, exam: NamesExam): Promise<readonly Diagnosis[]> {
  const { names: wanted } = situation(seen, policy);
  const { asked, refused } = namesAsked(exam.names, wanted.domains, isPublicCa(policy.directoryUrl));
  const instances = seen.loadBalancer.ok ? instancesOf(seen.loadBalancer.value, exam.senses.config) : [];
  const isKept = seen.self.ok && seen.self.value.tasks.some(({ state }) => state === 'TASK_RUNNING');
  const context = { policy, wanted: wanted.domains, isKept, askedAs: wanted.domains[0] };
  const [ahead, routes, served] = await Promise.all([
    exam.check('dns', () => lookedAhead(asked, instances, context, exam)),
    exam.check('route', () => routed(asked, instances, context, exam)),
    exam.check('served', () => onTheWire(asked, instances, planned.certificate, exam)),
  ]);
  return [...refused, ...ahead, ...routes, ...served];
}

/** Those of the command line, else all that are wanted. */
function namesAsked(given: readonly string[], wanted: readonly string[], publicCa: boolean) {
  if (given.length === 0) return { asked: wanted, refused: [] };
  const checked = given.map((text) => ({ text, verdict: checkName(text, publicCa) }));
  const refused = checked.flatMap(({ text, verdict }) =>
    verdict.kind === 'name'
      ? []
      : [diagnosis(['name', text], 'wrong', verdict.kind === 'refused' ? `it ${verdict.reason}` : 'is a placeholder')],
  );
  const asked = checked.flatMap(({ verdict }) => (verdict.kind === 'name' ? verdict.name : []));
  return { asked: [...new Set(asked)], refused };
}

async function lookedAhead(
  asked: readonly string[],
  instances: readonly LoadBalancerInstance[],
  context: NamesContext,
  { senses, signal }: NamesExam,
): Promise<readonly Diagnosis[]> {
  const hosts = instances.map(({ host }) => host);
  const isNew = (name: string): boolean => !context.wanted.includes(name);
  const [known, fresh] = await Promise.all([
    senses.preflight(
      asked.filter((name) => !isNew(name)),
      { hosts, askedAs: undefined, signal },
    ),
    senses.preflight(asked.filter(isNew), { hosts, askedAs: context.askedAs, signal }),
  ]);
  const parts = [...known, ...fresh];
  return [
    ...parts.map((one) => aboutDns(one, context)),
    ...parts.flatMap((one) => aboutReach(one, context)),
    ...parts.map((one) => aboutCaa(one, context)),
  ];
}

async function routed(
  asked: readonly string[],
  instances: readonly LoadBalancerInstance[],
  context: NamesContext,
  { senses, signal }: NamesExam,
): Promise<readonly Diagnosis[]> {
  const looks = await senses.routes(instances, asked, signal);
  return looks.map((look) => aboutRoute(look, context));
}

async function onTheWire(
  asked: readonly string[],
  instances: readonly LoadBalancerInstance[],
  { toBeServed: bundle, slot }: CertificateStatus,
  { senses, signal }: NamesExam,
): Promise<readonly Diagnosis[]> {
  if (bundle === undefined) return [diagnosis(['served', slot ?? '-'], 'unknown', 'there is no certificate yet')];
  const tasks = instances.map(({ host, httpsPort: port, taskId }): Endpoint => ({ host, port, taskId }));
  const { servedCheck } = senses.config.loadBalancer;
  const endpoints = servedCheck === undefined ? tasks : [...tasks, { ...servedCheck, taskId: undefined }];
  const issued = asked.filter((name) => bundle.domains.includes(name));
  const looks = await senses.served(endpoints, issued, bundle.fingerprint, signal);
  const lacking = asked.filter((name) => !bundle.domains.includes(name));
  return [
    ...looks.map((look) => aboutServed(look, bundle.fingerprint)),
    ...lacking.map((name) => diagnosis(['served', name], 'unknown', 'it is not on the certificate yet')),
  ];
}
