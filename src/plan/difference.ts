/**
 * What would be otherwise if the plan were carried out: which names come and go, and what each variable of the load
 * balancer would hold. Pure; for an operator who asks before, not for the loop.
 */
import type { CertificateBundle } from '../certificates/bundle.ts';
import { foretell } from './foretelling.ts';
import type { Observation, Policy } from './observation.ts';
import type { Plan } from './plan.ts';
import { situation } from './situation.ts';
import type { Slot, SlotContent } from './slots.ts';
import type { Action } from './verdict.ts';

export interface NameChange {
  readonly name: string;
  readonly sign: '+' | '-';
  readonly says: string;
}

export interface SlotChange {
  readonly slot: string;
  readonly before: string;
  readonly after: string;
}

export interface Difference {
  readonly names: readonly NameChange[];
  /** Wanted, and on the certificate that we hold. */
  readonly unchanged: readonly string[];
  readonly slots: readonly SlotChange[];
  /** What a change of the variables does to the load balancer; undefined: none is changed. */
  readonly redeploy: string | undefined;
}

export function difference(seen: Observation, policy: Policy, planned: Plan): Difference {
  const { slots, placement } = situation(seen, policy);
  const { bundle, domains, names } = planned.certificate;
  const issued = bundle?.domains ?? [];
  const added = names
    .filter(({ issued: isOn }) => !isOn)
    .map(({ name, obstacle }): NameChange => {
      return {
        name,
        sign: '+',
        says: obstacle === undefined ? 'to be on the certificate' : `has to wait: ${obstacle.why}`,
      };
    });
  const dropped = issued
    .filter((name) => !domains.includes(name))
    .map((name): NameChange => {
      return { name, sign: '-', says: 'not wanted any more; it goes with the next certificate' };
    });
  const target = placement?.ok ? placement.slot : undefined;
  const changes = slotChanges(planned.actions, slots, target);
  return {
    names: [...added, ...dropped],
    unchanged: domains.filter((name) => issued.includes(name)),
    slots: changes,
    redeploy: changes.length > 0 && seen.loadBalancer.ok ? foretell(seen.loadBalancer.value).why : undefined,
  };
}

function slotChanges(
  actions: readonly Action[],
  slots: readonly Slot[],
  target: Slot | undefined,
): readonly SlotChange[] {
  const contentOf = (name: string): SlotContent => slots.find((one) => one.name === name)?.content ?? { kind: 'empty' };
  return actions.flatMap((action): readonly SlotChange[] => {
    switch (action.kind) {
      case 'install':
        return action.slots.map((slot) => ({ slot, before: told(contentOf(slot)), after: certificate(action.bundle) }));
      case 'restore':
        return action.slots.map((slot) => ({ slot, before: told(contentOf(slot)), after: 'what it held before' }));
      case 'issue':
        return target === undefined
          ? []
          : [{ slot: target.name, before: told(target.content), after: 'the new certificate, when it is issued' }];
      default:
        return [];
    }
  });
}

function told(content: SlotContent): string {
  switch (content.kind) {
    case 'empty':
      return 'empty';
    case 'secret':
      return 'a secret';
    case 'unreadable':
      return 'something unreadable';
    case 'ours':
      return `ours, ${certificate(content.bundle)}`;
    default:
      return `${content.kind}, ${certificate(content.bundle)}`;
  }
}

function certificate({ fingerprint, notAfter }: CertificateBundle): string {
  return `${fingerprint.slice(0, 11)}… until ${notAfter.toISOString()}`;
}
