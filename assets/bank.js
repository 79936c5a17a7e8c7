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
