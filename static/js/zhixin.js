/* Zhixin: small comforts on top of pages that work without any script. */
"use strict";

(() => {
  const UNLOCK_AFTER_MS = 30000;

  /* A form is sent once. The button is not disabled (its name would get lost): a second submit
     is refused until the answer arrives, the reader comes back, or half a minute has passed. */
  const unlock = (form) => {
    delete form.dataset.sent;
    form.querySelectorAll("[data-busy]").forEach((button) => {
      delete button.dataset.busy;
      button.removeAttribute("aria-disabled");
    });
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || "repeatable" in form.dataset) {
      return;
    }
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "yes";
    const button = event.submitter || form.querySelector("button:not([type=button])");
    if (button) {
      button.dataset.busy = "";
      button.setAttribute("aria-disabled", "true");
    }
    window.setTimeout(() => unlock(form), UNLOCK_AFTER_MS);
  });

  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form[data-sent]").forEach(unlock);
  });

  /* A slider and its number box say the same. Only the box is part of the form. */
  const bounded = (slider, value) => {
    const number = Number(value);
    return Math.min(Math.max(number, Number(slider.min)), Number(slider.max));
  };

  document.addEventListener("input", (event) => {
    const slider = event.target;
    if (slider.matches("[data-range-for]")) {
      const box = document.getElementById(slider.dataset.rangeFor);
      box.value = slider.value;
      box.dispatchEvent(new Event("input", { bubbles: true }));
      return;
    }
    const own = slider.id && document.querySelector(`[data-range-for="${CSS.escape(slider.id)}"]`);
    if (own && slider.value !== "" && document.activeElement !== own) {
      own.value = bounded(own, slider.value);
    }
  });

  document.addEventListener("change", (event) => {
    const slider = event.target;
    if (slider.matches("[data-range-for]")) {
      const box = document.getElementById(slider.dataset.rangeFor);
      box.dispatchEvent(new Event("change", { bubbles: true }));
    }
  });

  /* Dialogs: a link to the section opens it over the page. */
  const openDialog = (dialog) => {
    dialog.removeAttribute("open");
    dialog.showModal();
  };

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog-open]");
    if (opener) {
      const dialog = document.getElementById(opener.dataset.dialogOpen);
      if (dialog && dialog.showModal) {
        event.preventDefault();
        openDialog(dialog);
      }
      return;
    }
    const closer = event.target.closest("[data-dialog-close]");
    if (closer) {
      event.preventDefault();
      closer.closest("dialog").close();
      return;
    }
    if (event.target.matches("dialog.dialog:modal")) {
      const box = event.target.getBoundingClientRect();
      const inside =
        event.clientX >= box.left &&
        event.clientX <= box.right &&
        event.clientY >= box.top &&
        event.clientY <= box.bottom;
      if (!inside) {
        event.target.close();
      }
      return;
    }
    const printer = event.target.closest("[data-print]");
    if (printer) {
      window.print();
      return;
    }
    const toastCloser = event.target.closest("[data-toast-close]");
    if (toastCloser) {
      toastCloser.closest(".toast").remove();
    }
  });

  /* A dialog linked to from elsewhere opens at once. */
  const target = window.location.hash && document.getElementById(window.location.hash.slice(1));
  if (target && target.matches("dialog.dialog") && target.showModal) {
    openDialog(target);
  }

  /* HTMX: the security token from its cookie (forms carry their own), and toasts by the
     response header  HX-Trigger: {"zx:toast": {"text": "…", "tone": "good"}}. */
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb === "get") {
      return;
    }
    const found = document.cookie.match(/(?:^|; )(?:__Host-|__Secure-)?csrftoken=([^;]+)/);
    if (found) {
      event.detail.headers["X-CSRFToken"] = decodeURIComponent(found[1]);
    }
  });

  document.addEventListener("zx:toast", (event) => {
    const region = document.getElementById("toasts");
    const pattern = document.getElementById("toast-pattern");
    if (!region || !pattern) {
      return;
    }
    const toast = pattern.content.firstElementChild.cloneNode(true);
    const tone = event.detail.tone || "info";
    if (["soon", "late", "good"].includes(tone)) {
      toast.classList.add(`alert--${tone}`);
    }
    toast.querySelector("[data-toast-text]").textContent = event.detail.text;
    region.append(toast);
  });
})();
