// Adds to Locust's own page what its hooks have no words for: headings and help in the form, each problem beside its
// field, and the content of the tab "Stages", which is the page of stages in a frame. Locust's page is made by React,
// so nothing of it is moved or taken away here: elements are added, and two labels get other words.
(() => {
  const args = window.templateArgs;
  const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
  const options = new Map(Object.entries(args.extra_options || {}).map(([name, option]) => [camel(name), option]));

  const style = document.createElement("style");
  style.textContent = `
    .stt-heading { font: 600 1rem/1.2 Roboto, Helvetica, Arial, sans-serif; margin: 8px 0 -12px; grid-column: 1 / -1; }
    .stt-help { font-size: .8rem; opacity: .75; margin: 4px 2px 0; }
    .stt-error { font-size: .85rem; color: #d32f2f; margin: 4px 2px 0; overflow-wrap: anywhere; }
    .stt-fields { display: grid !important; grid-template-columns: repeat(auto-fill, minmax(260px, 1fr)); gap: 24px;
      align-items: start; }
    .stt-fields label.MuiFormControlLabel-root { margin-left: -9px; }
    .stt-wrong fieldset { border-color: #d32f2f !important; border-width: 2px !important; }
    .MuiAlert-message { white-space: pre-line; overflow-wrap: anywhere; }
    #stt-stages { width: 100%; border: 0; display: block; min-height: 300px; }`;
  document.head.append(style);

  const element = (name, kind, text) => Object.assign(document.createElement(name), { className: kind, textContent: text });
  const control = (form, name) => form.querySelector(`[name="${name}"]`)?.closest(".MuiFormControl-root, .MuiFormControlLabel-root");

  // The words of a label stand twice: a second time, unseen, where the frame of the field leaves room for them.
  const label = (field, words) => {
    const texts = field.querySelectorAll("label, legend > span, .MuiFormControlLabel-label");
    for (const each of texts) if (each.firstChild?.nodeType === Node.TEXT_NODE) each.firstChild.nodeValue = words;
  };

  const decorate = (form) => {
    form.dataset.sttLoad = "";
    const host = control(form, "host");
    if (host) label(host, "Host: URL of the server");
    let group = "";
    for (const [name, option] of options) {
      const field = control(form, name);
      if (!field || !option.flag) continue;
      field.parentElement.classList.add("stt-fields");
      if (option.group !== group) field.before(element("h4", "stt-heading", option.group));
      group = option.group;
      label(field, option.flag);
      // Within the field, so that it has one cell of the grid. A label puts its content beside the box: below it then.
      field.style.flexWrap = "wrap";
      const help = element("p", "stt-help", option.help_text);
      if (field.matches("label")) Object.assign(help.style, { flexBasis: "100%", marginLeft: "11px" });
      field.append(help);
    }
    const ours = form.querySelector(".stt-fields")?.closest(".MuiAccordion-root");
    const title = ours?.querySelector(".MuiAccordionSummary-content p");
    if (title) title.firstChild.nodeValue = "Options of stt-load: dialect, stages, objectives, …";
  };

  const showProblems = (form, problems) => {
    form.querySelectorAll(".stt-error").forEach((each) => each.remove());
    form.querySelectorAll(".stt-wrong").forEach((each) => each.classList.remove("stt-wrong"));
    for (const { field: name, text } of problems) {
      const field = control(form, camel(name));
      if (!field) continue;
      field.classList.add("stt-wrong");
      field.append(problemLine(text));
      field.closest(".MuiAccordion-root")?.querySelector("button[aria-expanded=false]")?.click();
    }
    form.querySelector(".stt-error")?.scrollIntoView({ block: "center" });
  };

  const problemLine = (text) => {
    const line = element("p", "stt-error", text);
    line.setAttribute("role", "alert");
    return line;
  };

  // A run that could not start after all: Locust's page shows its form again, and knows nothing of it.
  let refused = [];
  const showRefused = (form) => {
    showProblems(form, refused);
    form.querySelector("button[type=submit]")?.before(...refused.map(({ text }) => problemLine(text)));
    refused = [];
  };

  // Locust's page shows the message of an answer that refuses a start; the answer also says which fields it is about.
  const formOnTop = () => document.querySelector(".MuiModal-root form") || document.querySelector("form");
  const fetchAsBefore = window.fetch;
  window.fetch = async (...asked) => {
    const answer = await fetchAsBefore(...asked);
    const path = new URL(answer.url || "about:blank").pathname;
    if (path.endsWith("/swarm") || path.endsWith("/stats/requests")) {
      const told = await answer.clone().json().catch(() => ({}));
      if (told.refused) refused = told.refused;
      else if (formOnTop()) showProblems(formOnTop(), told.problems || []);
    }
    return answer;
  };

  const showStages = () => {
    const tabs = document.querySelector(".MuiTabs-root");
    const own = [...(tabs?.querySelectorAll("[role=tab]") || [])].find((tab) => tab.textContent === "Stages");
    if (own) own.style.order = -1; // the first, since a phone shows no more than the first ones
    const isOpen = tabs && new URLSearchParams(location.search).get("tab") === args.stages_tab;
    const frame = document.getElementById("stt-stages");
    if (!isOpen) frame?.remove();
    else if (!frame) {
      const page = Object.assign(document.createElement("iframe"), { id: "stt-stages", title: "Stages", src: "./stt-load/" });
      tabs.closest(".MuiContainer-root").append(page);
    }
  };

  const look = () => {
    document.querySelectorAll("form:not([data-stt-load])").forEach((form) => {
      if ([...options.keys()].some((name) => control(form, name))) decorate(form);
    });
    if (refused.length && formOnTop()) showRefused(formOnTop());
    showStages();
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
  look();
})();
