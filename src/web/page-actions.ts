/** The form of the status page for those who have ADMIN_TOKEN: what a press of each button does is said beside it. */
import type { Ask } from '../plan/asking.ts';
import type { Status } from '../status.ts';
import { type Html, html } from './html.ts';

/** As it stands on the buttons. */
export const ASKS: Readonly<Record<Ask, string>> = { retry: 'Retry now', renew: 'Renew' };

const DOES: Readonly<Record<Ask, string>> = {
  retry:
    'Looks at everything anew and tries at once what had failed. What the CA asked us to wait for, and its limits, are kept.',
  renew: 'Orders a new certificate although none is due, within the limits.',
};

/** The token is typed each time, and nothing keeps it. */
export function actionForms({ plan }: Status): Html {
  const isFollowing = plan !== null && !plan.leader.isUs;
  const content = isFollowing
    ? html`<p>This task only watches. Ask the one that leads: ${plan.leader.taskId ?? 'there is none yet'}.</p>`
    : html`<form method="post" action="actions/retry">
<p><label for="token">ADMIN_TOKEN</label>
<input id="token" name="token" type="password" required autocomplete="off" spellcheck="false"></p>
${(Object.keys(ASKS) as Ask[]).map((what) => button(what, installed(plan)))}
</form>`;
  return html`<section id="actions" class="card" aria-labelledby="actions-title">
<h2 id="actions-title">Actions</h2>
${content}
</section>
`;
}

/** When the load balancer is redeployed with what is ordered now. */
function installed(plan: Status['plan']): string {
  const window = plan?.installWindow ?? null;
  if (window === null || window.isOpen) return 'It redeploys the load balancer.';
  return `The load balancer is redeployed in the install window, which is ${window.says}; to have it at once, empty INSTALL_WINDOW.`;
}

function button(what: Ask, redeploys: string): Html {
  const id = `does-${what}`;
  return html`<p class="action"><button formaction="actions/${what}" aria-describedby="${id}">${ASKS[what]}</button> <span id="${id}">${DOES[what]}${what === 'renew' && ` ${redeploys}`}</span></p>`;
}
