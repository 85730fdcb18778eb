/**
 * The names of a run: what is wrong with each at the moment, as the CA would find it and as our preflight would.
 */
import type { PreflightVerdict } from '../../src/acme/preflight.ts';

export type NameTrouble =
  /** No A record. */
  | 'nxdomain'
  /** Its name servers answer errors. */
  | 'servfail'
  /** A CAA record forbids this CA; found at the validation. */
  | 'caa'
  /** A CAA record that only the check before signing finds: it was added after the validation. */
  | 'caa-late'
  /** The CA's policy refuses it at newOrder. */
  | 'refused'
  /** A firewall in front of it lets us in, but not the CA. */
  | 'firewalled'
  /** Another app answers on the challenge path. */
  | 'misrouted'
  /** Our resolver lies, or hairpin NAT is missing: the preflight cannot tell, and the CA has no trouble at all. */
  | 'unseen'
  /** The cluster's own DNS gives another address: the preflight says bad, and the CA has no trouble at all. */
  | 'denied';

export class Names {
  readonly #troubles = new Map<string, NameTrouble[]>();

  begin(name: string, trouble: NameTrouble): void {
    this.#troubles.set(name, [...(this.#troubles.get(name) ?? []), trouble]);
  }

  end(name: string, trouble: NameTrouble): void {
    const left = [...(this.#troubles.get(name) ?? [])];
    left.splice(left.indexOf(trouble), 1);
    this.#troubles.set(name, left);
  }

  has(name: string, trouble: NameTrouble): boolean {
    return this.#troubles.get(name)?.includes(trouble) ?? false;
  }

  /** Nothing that the CA would object to. */
  isWell(name: string): boolean {
    return (this.#troubles.get(name) ?? []).every((trouble) => trouble === 'unseen' || trouble === 'denied');
  }

  isRefused(name: string): boolean {
    return this.has(name, 'refused') || isNobodys(name);
  }

  /** What the validation authority finds; undefined: well. */
  validation(name: string): { readonly type: string; readonly detail: string } | undefined {
    if (this.has(name, 'nxdomain'))
      return {
        type: 'dns',
        detail: `DNS problem: NXDOMAIN looking up A for ${name} - check that a DNS record exists for this domain`,
      };
    if (this.has(name, 'servfail'))
      return {
        type: 'dns',
        detail: `DNS problem: SERVFAIL looking up A for ${name} - the domain's nameservers may be malfunctioning`,
      };
    if (this.has(name, 'firewalled'))
      return {
        type: 'connection',
        detail: `198.51.100.7: Fetching http://${name}/.well-known/acme-challenge/x: Timeout during connect (likely firewall problem)`,
      };
    if (this.has(name, 'misrouted'))
      return {
        type: 'unauthorized',
        detail: `198.51.100.7: Invalid response from http://${name}/.well-known/acme-challenge/x: 404`,
      };
    if (this.has(name, 'caa')) return { type: 'caa', detail: `CAA record for ${name} prevents issuance` };
    return undefined;
  }

  preflight(name: string): PreflightVerdict {
    const bad = (why: string): PreflightVerdict => ({ kind: 'bad', why: `${name}: ${why}`, cure: `mend ${name}` });
    if (this.has(name, 'unseen'))
      return { kind: 'unknown', why: `${name}: cannot be reached from here`, cure: 'nothing, if the CA can' };
    if (this.has(name, 'denied')) return bad('its address is one of a private network');
    if (this.has(name, 'nxdomain')) return bad('no A or AAAA record');
    if (this.has(name, 'servfail')) return bad('its name servers answer SERVFAIL');
    if (this.has(name, 'caa')) return bad('a CAA record forbids the CA');
    if (this.has(name, 'misrouted')) return bad('another app answered');
    if (isNobodys(name)) return bad('no A or AAAA record');
    return { kind: 'good' };
  }
}

/** A typing mistake of the operator: under no public suffix. */
export function isNobodys(name: string): boolean {
  return name.endsWith('.netz');
}
