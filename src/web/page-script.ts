/**
 * The script of the status page: every few seconds it fetches the page anew and puts in what has changed.
 *
 * Without it the page is whole, and as old as its "As of". What a screen reader hears is the state alone (`role="status"`),
 * and only when it is another one. Nothing outside the parts that are marked is touched, so what is being typed stays.
 */
export const SCRIPT = `
(() => {
  const EVERY_MS = 5000;
  const put = (old, fresh) => {
    const said = old.querySelector('[role=status]'), says = fresh.querySelector('[role=status]');
    old.className = fresh.className;
    if (said && says && said.innerHTML === says.innerHTML) {
      while (said.nextSibling) said.nextSibling.remove();
      while (says.nextSibling) old.append(says.nextSibling);
    } else if (said && says) {
      said.innerHTML = says.innerHTML;
      put(old, fresh);
    } else old.innerHTML = fresh.innerHTML;
  };
  const refresh = async () => {
    if (document.hidden || String(getSelection())) return;
    const stale = document.getElementById('stale');
    try {
      const reply = await fetch(location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(EVERY_MS) });
      if (!reply.ok) throw new Error(String(reply.status));
      const fresh = new DOMParser().parseFromString(await reply.text(), 'text/html');
      document.title = fresh.title;
      document.querySelector('link[rel=icon]').href = fresh.querySelector('link[rel=icon]').href;
      const main = document.getElementById('main');
      let before = null;
      for (const part of fresh.querySelectorAll('main > [data-live]')) {
        const old = document.getElementById(part.id);
        if (!old) before ? before.after(part) : main.prepend(part);
        else if (!old.contains(document.activeElement) && old.innerHTML !== part.innerHTML) put(old, part);
        before = document.getElementById(part.id);
      }
      for (const old of main.querySelectorAll(':scope > [data-live]')) if (!fresh.getElementById(old.id)) old.remove();
      document.getElementById('made').innerHTML = fresh.getElementById('made').innerHTML;
      stale.hidden = true;
    } catch {
      stale.hidden = false;
    }
  };
  if (document.getElementById('made')) setInterval(refresh, EVERY_MS);
})();
`;
