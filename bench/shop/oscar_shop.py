"""Make the tables of the shop, and a catalogue of 120 products in 12 categories."""

import django
from django.core.management import call_command

django.setup()
call_command("migrate", verbosity=0)

from oscar.apps.address.models import Country  # noqa: E402
from oscar.apps.catalogue.categories import create_from_breadcrumbs  # noqa: E402
from oscar.apps.catalogue.models import Product, ProductCategory, ProductClass  # noqa: E402
from oscar.apps.partner.models import Partner, StockRecord  # noqa: E402

Country.objects.create(iso_3166_1_a2="GB", name="United Kingdom", is_shipping_country=True)
kind = ProductClass.objects.create(name="thing")
partner = Partner.objects.create(name="store")
groups = [create_from_breadcrumbs(f"Group {n % 3} > Kind {n}") for n in range(12)]
for number in range(120):
    about = f"Thing {number} is made of {('wood', 'iron', 'glass')[number % 3]}, size {number}."
    product = Product.objects.create(title=f"Thing {number}", product_class=kind, description=about)
    ProductCategory.objects.create(product=product, category=groups[number % 12])
    StockRecord.objects.create(
        product=product, partner=partner, partner_sku=str(number), price=number + 1, num_in_stock=9
    )
call_command("rebuild_index", interactive=False, verbosity=0)
