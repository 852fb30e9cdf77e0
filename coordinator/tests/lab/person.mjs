// A person at a browser: node person.mjs URL follows it, logs in, agrees, and prints where the provider sends them back to.
const cookies = new Map();
let url = process.argv[2];
let form;
for (let step = 0; step < 12; step += 1) {
  const answer = await fetch(url, {
    method: form ? 'POST' : 'GET',
    body: form && new URLSearchParams(form),
    headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    redirect: 'manual',
  });
  for (const line of answer.headers.getSetCookie()) {
    const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
    cookies.set(name, value);
  }
  const next = answer.headers.get('location');
  if (next) {
    url = new URL(next, url).href;
    form = undefined;
    if (url.includes('code=') || url.includes('error=')) {
      console.log(url);
      process.exit(0);
    }
    continue;
  }
  const page = await answer.text();
  const prompt = page.match(/name="prompt" value="([^"]+)"/)?.[1];
  form = prompt === 'login' ? { prompt, login: 'anna', password: 'any' } : { prompt: 'consent' };
  url = new URL(page.match(/<form[^>]*action="([^"]+)"/)[1], url).href;
}
process.exit(1);
