const form = document.querySelector(".controls");
const list = document.getElementById("clips");
if (form) {
  form.hidden = false;
  const cards = [...list.children];
  const number = (card, key) => Number(card.dataset[key]);
  const orders = {
    listed: (a, b) => cards.indexOf(a) - cards.indexOf(b),
    error: (a, b) => number(b, "error") - number(a, "error"),
    confidence: (a, b) => number(a, "confidence") - number(b, "confidence"),
  };
  const update = () => {
    const wanted = form.elements.find.value.toLowerCase();
    list.replaceChildren(...[...cards].sort(orders[form.elements.order.value]));
    for (const card of cards) card.hidden = !card.dataset.text.includes(wanted);
  };
  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
}
