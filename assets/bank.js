// Small conveniences of the internet bank; every page works without them.
"use strict";

// A server that does not answer leaves the form as it is: its key makes sending it again safe.
for (const name of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(name, (event) => {
    const notice = document.getElementById("sem-resposta");
    if (!notice || event.detail.requestConfig.verb !== "post") return;
    notice.hidden = false;
    // From now on the package may have been executed: the bank must know if it asks for a login first.
    document.querySelector("[name=incerto]").value = "sim";
    notice.tabIndex = -1;
    notice.focus();
  });
}

// Numbers of pages that are no pages of ours, such as a proxy's error, must not replace the form.
document.addEventListener("htmx:beforeSwap", (event) => {
  const type = event.detail.xhr.getResponseHeader("content-type") || "";
  if (!type.startsWith("text/html")) event.detail.shouldSwap = false;
});

// Whether amounts are hidden is a matter of this browser.
const hide = document.getElementById("ocultar");
if (hide) {
  try {
    hide.checked = localStorage.getItem("ocultar") === "sim";
    hide.addEventListener("change", () => localStorage.setItem("ocultar", hide.checked ? "sim" : "não"));
  } catch {
    // A browser that keeps nothing shows them anew on every visit.
  }
}

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
    document.getElementById("copiado").textContent = "Copiado";
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// What arrives while somebody looks. The browser comes back by itself, and says what it has been told; only where the
// session has ended it is answered with something else, and stays away.
const arrivals = document.getElementById("chegadas");
if (arrivals && window.EventSource) {
  const source = new EventSource("/chegadas");
  source.onmessage = (event) => {
    const arrived = JSON.parse(event.data);
    const receipt = document.createElement("a");
    receipt.href = arrived.receipt;
    receipt.textContent = "Ver comprovante";
    const line = document.createElement("p");
    line.className = "notice good";
    line.append(arrived.text, " ", receipt);
    arrivals.prepend(line);
    // The latest five.
    while (arrivals.childElementCount > 5) arrivals.lastElementChild.remove();
    const show = (where, text) => document.querySelectorAll(where).forEach((shown) => (shown.textContent = text));
    show(`[data-balance="${arrived.account}"]`, arrived.balance);
    show("[data-total]", arrived.total);
    if (sound?.checked) ring();
  };
}

// A sound, only where somebody wants one in this browser.
const sound = document.getElementById("som");
if (sound && window.AudioContext) {
  document.getElementById("com-som").hidden = false;
  try {
    sound.checked = localStorage.getItem("som") === "sim";
    sound.addEventListener("change", () => localStorage.setItem("som", sound.checked ? "sim" : "não"));
  } catch {
    // A browser that keeps nothing asks anew on every visit.
  }
  sound.addEventListener("change", () => sound.checked && ring());
}

function ring() {
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  volume.gain.setValueAtTime(0.1, audio.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.4);
  tone.frequency.value = 880;
  tone.connect(volume).connect(audio.destination);
  tone.onended = () => audio.close();
  tone.start();
  tone.stop(audio.currentTime + 0.4);
}
